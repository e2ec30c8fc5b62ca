"""CIFAR-100 with and without augmentation: L and T Table 3."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from drumlin.recipes.experiment import Experiment
from drumlin.recipes.feature_space import error_and_geometry
from drumlin.recipes.scales import CIFAR100, Setting, candidates, setting
from drumlin.recipes.variants import Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.results.record import Scale
from drumlin.settings.data import AugmentSettings
from drumlin.settings.heads import HeadSettings, head_settings

ABOUT = "CIFAR-100 with and without augmentation (L and T Table 3)"

WIDTHS: dict[Scale, int] = {"cpu": 32, "paper": 96, "smoke": 8}
"""Scale → filters of the network's first stage."""

SETS = ("C100", "C100 augmented")
"""Without augmentation and with, which L and T call C100+."""
_BOTH, _L, _T = "L Table 3, T Table 3", "L Table 3", "T Table 3"

TABLE_3: dict[str, tuple[HeadSettings, str, tuple[float, float]]] = {
    "softmax": (head_settings("softmax"), _BOTH, (25.61, 21.60)),
    "center": (head_settings("center"), _BOTH, (24.85, 21.05)),
    "l-softmax m=4": (head_settings("l-softmax", margin=4), _BOTH, (24.83, 20.98)),
    "lgm alpha=0.1": (head_settings("lgm", margin=0.1), _L, (23.74, 20.94)),
    "lgm alpha=0.2": (head_settings("lgm", margin=0.2), _L, (23.04, 20.85)),
    "lgm alpha=0.3": (head_settings("lgm", margin=0.3), _L, (23.80, 20.76)),
    "gm alpha=0.1": (head_settings("gm", margin=0.1), _T, (23.74, 20.94)),
    "gm alpha=0.2": (head_settings("gm", margin=0.2), _T, (23.04, 20.85)),
    "gm alpha=0.3": (head_settings("gm", margin=0.3), _T, (23.16, 20.76)),
}
"""Row → head, source, and error rates in percent on `SETS`.

T repeats L's numbers but for one. Nobody says which m L-Softmax had. L's code for CIFAR-100 keeps all variances at 1 and lets the
margin grow in steps; its paper says neither, and "lgm" here is the paper's.
"""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: nine losses on both sets.

    GM's images are padded by reflection as T's are, the others' by zeros as L's.
    """
    return Experiment("cifar100", scale, tuple(_rows(scale)), error_and_geometry, show=show)


def _rows(scale: Scale) -> Iterator[Variant]:
    chosen = setting(CIFAR100, scale)
    for place, name_of_set in enumerate(SETS):
        for name, (head, source, errors) in TABLE_3.items():
            own = with_padding(chosen, head) if name_of_set == SETS[1] else without_augmentation(chosen)
            found = candidates(own, head, **network(scale, WIDTHS[scale]))
            error = Published(errors[place] / 100, source) if chosen.data == "cifar100" else None
            yield Variant(f"{name}, {name_of_set}", found, chosen.seeds, error)


def without_augmentation(chosen: Setting) -> Setting:
    """Return the setting of C100."""
    return dataclasses.replace(chosen, augment=AugmentSettings())


def with_padding(chosen: Setting, head: HeadSettings) -> Setting:
    """Return the setting of C100+ for a loss: GM's images are padded as T does, the others' as L did."""
    if chosen.augment is None or head.name == "gm":
        return chosen
    return dataclasses.replace(chosen, augment=dataclasses.replace(chosen.augment, pad="zero"))


def network(scale: Scale, width: int) -> dict[str, object]:
    """Return the network's fields for so many filters: its features are the averages of the last maps, but at smoke scale.

    >>> network("paper", 96)
    {'width': 96, 'feature_dim': 384, 'linear': False}
    """
    return {"width": width, "feature_dim": 4 * width, "linear": scale == "smoke"}


def show(records: Sequence[Record]) -> str:
    """Return errors, a line for what comes before the last comma of a row's name, a column for the rest; published in parentheses."""
    cells = [_cell(in_percent(r)) for r in select(records, task="classification", metric="error")]
    return "Error, %\n\n" + table(cells, rows=["head"], columns=["anomaly"], published=True)


def _cell(record: Record) -> Record:
    line, _, column = (record.protocol or "").rpartition(", ")
    return dataclasses.replace(record, head=line, anomaly=column, protocol=None)
