"""drumlin datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from drumlin.cli._parsing import choose, parse, progress
from drumlin.cli._tables import table


@dataclass(kw_only=True)
class Datasets:
    """List the data sets known by name and which are there; download one; or align the faces of a folder."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A data set."""
    download: bool = False
    """Download it into the data root."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""
    align: Path | None = None
    """Folder of images whose faces to align, once; not needed where they are."""
    landmarks: Path | None = None
    """With align: file of five points a face, used if it is there, else made by an MTCNN (pip install "drumlin[align]")."""
    out: Path | None = None
    """With align: folder for the aligned faces."""
    size: tuple[int, int] = (112, 96)
    """With align: height and width of an aligned face in pixels."""


def run(words: Sequence[str]) -> int:
    """Print the list, download or align."""
    from drumlin.data import data_root, datasets, load

    flags = parse(Datasets, words, name="datasets")
    if flags.align is not None:
        return _align(flags.align, flags.landmarks, flags.out, flags.size)
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
            info.num_classes or "various",
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
    for info in known:
        if info.name == flags.name and not info.present:
            print(f"\nto get {info.name}: {info.by_hand or f'drumlin datasets {info.name} --download'}")
    return 0


def _align(folder: Path, landmarks: Path | None, out: Path | None, size: tuple[int, int]) -> int:
    from drumlin.data.alignment import align
    from drumlin.data.folders import find_images
    from drumlin.data.landmarks import detect_landmarks

    if landmarks is None or out is None:
        raise ValueError("--align needs --landmarks FILE and --out FOLDER")
    if not landmarks.exists():
        progress(f"finding faces in {len(find_images([folder]))} images")
        print(f"{landmarks}: faces found in {detect_landmarks(folder, landmarks)} images")
    done = align(folder, landmarks, out, size=size)
    print(f"{out}: {done.written} faces; left out for want of landmarks: {done.left_out} images")
    return 0
