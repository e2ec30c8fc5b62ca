"""drumlin predict."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from drumlin.cli._parsing import parse, progress
from drumlin.cli._tables import table

if TYPE_CHECKING:
    from torch import Tensor

    from drumlin.refusal import Predictor

_BATCH = 256
_Row = dict[str, Any]


@dataclass(kw_only=True)
class Predict:
    """Class, probability, p-value, accepted or refused, of image files and folders of them.

    A file that cannot be read has an error in place of an answer, and the exit code is then 2.
    """

    run: Annotated[Path, tyro.conf.Positional]
    """A calibrated run."""
    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Image files, or folders, which are searched for them."""
    json: bool = False
    """JSON: a list with an object for each image."""
    csv: bool = False
    """CSV with a header."""
    device: str = "auto"
    """Where the model computes: auto, cpu, cuda, cuda:1, mps, ..."""


def run(words: Sequence[str]) -> int:
    """Predict and print."""
    from drumlin import load
    from drumlin.data.folders import find_images
    from drumlin.training import Run

    flags = parse(Predict, words, name="predict")
    if flags.json and flags.csv:
        raise ValueError("--json and --csv exclude each other: give one")
    if not flags.images:
        raise ValueError("no images: name files or folders after the run")
    Run(flags.run).require_finished()
    predictor = load(flags.run, device=flags.device)
    predictor.require_calibrated()
    paths = find_images(flags.images)
    rows = [row for start in range(0, len(paths), _BATCH) for row in _predict(predictor, paths[start : start + _BATCH])]
    write = _WRITERS["json" if flags.json else "csv" if flags.csv else "table"]
    errors = [row["error"] for row in rows if "error" in row]
    if len(errors) == len(rows):
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        raise ValueError(f"{errors[0]}{more}")
    write(rows)
    for error in errors:
        progress(f"drumlin: {error}")
    return 2 if errors else 0


def _predict(predictor: Predictor, paths: Sequence[Path]) -> list[_Row]:
    """Return a row a file, in order: an answer, or why there is none."""
    from drumlin.data import load_image

    inputs = predictor.classifier.inputs
    images: dict[Path, Tensor] = {}
    errors: dict[Path, str] = {}
    for path in paths:
        try:
            images[path] = load_image(path, channels=inputs.channels, image_size=inputs.size)
        except ValueError as error:
            errors[path] = " ".join(str(error).split())
    answers = dict(zip(images, _answers(predictor, images), strict=True))
    return [answers.get(path) or {"image": str(path), "error": errors[path]} for path in paths]


def _answers(predictor: Predictor, images: Mapping[Path, Tensor]) -> list[_Row]:
    import torch

    if not images:
        return []
    prediction = predictor.predict(torch.stack([*images.values()]).float() / 255)
    assert prediction.p_value is not None
    assert prediction.accepted is not None
    columns = (
        prediction.names,
        prediction.probability.tolist(),
        prediction.p_value.tolist(),
        prediction.accepted.tolist(),
    )
    return [
        {"image": str(path), "class": name, "probability": probability, "p_value": p_value, "accepted": accepted}
        for path, name, probability, p_value, accepted in zip(images, *columns, strict=True)
    ]


def _as_table(rows: Sequence[_Row]) -> None:
    cells = [
        [r["image"], "–", "–", "–", "unreadable"]
        if "error" in r
        else [
            r["image"],
            r["class"],
            f"{r['probability']:.4f}",
            f"{r['p_value']:.4f}",
            "accepted" if r["accepted"] else "REFUSED",
        ]
        for r in rows
    ]
    print(table(["image", "class", "probability", "p-value", "answer"], cells))


def _as_json(rows: Sequence[_Row]) -> None:
    print(json.dumps(list(rows), indent=2))


def _as_csv(rows: Sequence[_Row]) -> None:
    columns = dict.fromkeys(key for row in sorted(rows, key=len, reverse=True) for key in row)  # the error's comes last
    writer = csv.DictWriter(sys.stdout, fieldnames=list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


_WRITERS: dict[str, Callable[[Sequence[_Row]], None]] = {"table": _as_table, "json": _as_json, "csv": _as_csv}
