"""Tables of faces: what was trained on, and how well pairs of strangers are told."""

from __future__ import annotations

from drumlin.report.measured.catalogue.base import BY_ANOMALY, Table
from drumlin.report.measured.choices import across, by_score, of_groups, of_rows

_TRAINING = "`fast-32` at a quarter of its width, 512-D, 20 epochs at one rate"
_SCALED = " with features times 1/9"


def _of_view(name: str, view: str, pairs: str) -> dict[str, Table]:
    """Return the tables of what was trained on the people of a view, by their names."""
    groups = {view: "", f"{view}{_SCALED}": _SCALED}
    size = Table(
        "faces",
        "People and images trained on",
        of_groups(groups, across("data", "people", "images")),
        ("head",),
        BY_ANOMALY,
        digits=0,
        cpu=_TRAINING,
    )
    error = Table(
        "faces",
        "Test error in percent for other images of the people trained on",
        of_groups(groups, of_rows("classification", "error")),
        ("head",),
        ("metric",),
    )
    accuracy = Table(
        "faces",
        f"Accuracy in percent: {pairs}, by score and principal components",
        of_groups(groups, by_score("accuracy")),
        ("head",),
        BY_ANOMALY,
    )
    area = Table(
        "faces",
        "AUROC of the same pairs in percent",
        of_groups(groups, by_score("auroc")),
        ("head",),
        BY_ANOMALY,
    )
    return {f"{name}-size": size, f"{name}-known": error, f"{name}-pairs": accuracy, f"{name}-pairs-auroc": area}


_SENSITIVITY: dict[str, Table] = {
    "faces-sensitivity-pairs": Table(
        "faces-sensitivity",
        "Accuracy in percent: pairs of View 1's test set, by score after PCA to 64 components",
        by_score("accuracy"),
        ("head",),
        BY_ANOMALY,
        cpu=_TRAINING,
    ),
    "faces-sensitivity-known": Table(
        "faces-sensitivity",
        "Test error in percent for other images of the people trained on",
        of_rows("classification", "error"),
        ("head",),
        ("metric",),
    ),
}

TABLES: dict[str, Table] = (
    _of_view("faces-view-1", "View 1", "pairs of View 1's test set")
    | _of_view("faces-fold-1", "View 2 fold 1", "pairs of View 2's first fold")
    | _SENSITIVITY
)
