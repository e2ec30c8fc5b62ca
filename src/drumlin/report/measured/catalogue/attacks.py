"""Tables of models under attack."""

from __future__ import annotations

from drumlin.report.measured.catalogue.base import BY_ANOMALY, Table
from drumlin.report.measured.choices import of_rows


def _areas(name: str, recipe: str, source: str) -> dict[str, Table]:
    """Return how well attacked images are told, under both protocols, by the tables' names."""
    who = {
        name: ("all-attacked", "all attacked images against the same untouched"),
        f"{name}-fooled": (
            "right-before-and-fooled",
            "those images alone that the model got right and the attack brought to its target",
        ),
    }
    return {
        each: Table(
            recipe,
            f"AUROC in percent, {what}",
            of_rows("detection", "auroc", protocol),
            ("head", "detector"),
            BY_ANOMALY,
            published=source,
        )
        for each, (protocol, what) in who.items()
    }


def _told(data: str) -> dict[str, Table]:
    """Return the tables of a recipe of T's Table 7, by their names."""
    recipe, name = f"{data}-detection", f"{data}-attacks"
    success = Table(
        recipe,
        "Share of attacks that reach their target, in percent",
        of_rows("robustness", "success"),
        ("head",),
        BY_ANOMALY,
    )
    return _areas(name, recipe, "T's Table 7") | {f"{name}-success": success}


def _knowing(data: str, source: str) -> dict[str, Table]:
    """Return the tables of a recipe of T's attacker who knows the detector, by their names."""
    recipe = f"{data}-white-box"
    success = Table(
        recipe,
        "Share of attacks that reach their target, under `cw-detector` with a score that passes, in percent",
        of_rows("robustness", "success"),
        ("head",),
        BY_ANOMALY,
        published="T's",
    )
    distortion = Table(
        recipe,
        "Distortion of those that succeed, root mean square over pixels in [0, 1]",
        of_rows("robustness", "distortion"),
        ("head",),
        BY_ANOMALY,
        digits=4,
        published="T's by 255",
    )
    return _areas(recipe, recipe, source) | {f"{recipe}-success": success, f"{recipe}-distortion": distortion}


_BEYOND_AND_FGSM: dict[str, Table] = {
    "mnist-fgsm": Table(
        "mnist-fgsm",
        "Test error under attack in percent",
        of_rows("robustness", "error"),
        ("head",),
        BY_ANOMALY,
        published="L's Table 6",
    ),
    "mnist-fgsm-eer": Table(
        "mnist-fgsm",
        "Equal error rate in percent of telling attacked test images from untouched ones",
        of_rows("detection", "eer"),
        ("head", "detector"),
        BY_ANOMALY,
        published="L's",
    ),
    "mnist-beyond": Table(
        "mnist-beyond",
        "AUROC in percent of attacks, all attacked images against the same untouched",
        of_rows("detection", "auroc", "all-attacked"),
        ("head", "detector"),
        BY_ANOMALY,
        cpu="500 test images each",
    ),
    "mnist-beyond-safety": Table(
        "mnist-beyond",
        "Share of attacked images in percent that are right, or refused at 5% false alarms",
        lambda records: [r for r in of_rows("safety", "right-or-refused")(records) if r.anomaly],
        ("head", "detector"),
        BY_ANOMALY,
    ),
    "mnist-orthogonal": Table(
        "mnist-orthogonal",
        "Share of images in percent that are right, or refused at 5% false alarms, under orthogonal PGD, ε = 0.2",
        lambda records: [r for r in of_rows("safety", "right-or-refused")(records) if r.anomaly],
        ("head", "detector"),
        BY_ANOMALY,
        cpu="200 images",
    ),
    "mnist-beyond-unknown": Table(
        "mnist-beyond",
        "AUROC in percent of unknown images",
        of_rows("detection", "auroc", "all-test-samples"),
        ("head", "detector"),
        BY_ANOMALY,
    ),
}
TABLES: dict[str, Table] = {
    **_BEYOND_AND_FGSM,
    **_told("mnist"),
    **_told("cifar"),
    **_knowing("mnist", "T's Tables 10 and 11"),
    **_knowing("cifar", "T's Tables 9 and 11"),
}
