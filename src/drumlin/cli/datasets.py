"""drumlin datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from drumlin.cli._parsing import choose, parse
from drumlin.cli._tables import table


@dataclass(kw_only=True)
class Datasets:
    """List the data sets known by name and which are there; or download one."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A data set."""
    download: bool = False
    """Download it into the data root."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""


def run(words: Sequence[str]) -> int:
    """Print the list, or download."""
    from drumlin.data import data_root, datasets, load

    flags = parse(Datasets, words, name="datasets")
    if flags.download:
        if flags.name is None:
            raise ValueError("--download needs the name of a data set: drumlin datasets NAME --download")
        images = load(flags.name, "all", root=flags.data_root, download=True)
        print(f"{flags.name}: {len(images)} images in {data_root(flags.data_root)}")
        return 0
    known = datasets(flags.data_root)
    if flags.name is not None:
        choose("data set", [flags.name], [info.name for info in known])
    rows = [
        [
            info.name,
            info.num_classes,
            f"{info.size[0]}x{info.size[1]}" if info.size else "various",
            {1: "grey", 3: "colour"}[info.channels],
            ", ".join(info.present) or "no",
            info.licence,
        ]
        for info in known
        if flags.name in (None, info.name)
    ]
    print(f"data root: {data_root(flags.data_root)}\n")
    print(table(["name", "classes", "size", "colours", "there", "licence"], rows))
    return 0
