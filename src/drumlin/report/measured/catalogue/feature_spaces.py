"""Tables of feature spaces: what neighbours, clusters and means in them say, beside the models' own errors."""

from __future__ import annotations

from collections.abc import Mapping

from drumlin.report.measured.catalogue.base import BY_ANOMALY, Table
from drumlin.report.measured.choices import across, by_epsilon, in_protocols, of_groups, of_rows

_CIFAR = "cifar10-heads"
_NARROW = "`fast-32` at a quarter of its width, features times 1/9, eight epochs"
_LONGER = "`fast-32` at a quarter of its width, features times 1/9, sixteen epochs at a rate of 1"
_WHOLE = "`fast-32`, features times 1/9, 49,000 images, sixteen epochs at a rate of 1, softmax at 0.5 unless it says so or has cutout"
_WHOLE_ROWS = {f"fast-32{said} for 16 epochs": said for said in ("", " at a rate of 1", " with cutout")}
_AS_SOURCE = "fast-32 as its source trains it"
_SOURCE = "`fast-32`, features times 1/9, ten epochs as its source trains it"
_LONG_SOURCE = (
    "`fast-32`, features times 1/9, 49,000 images, as its source trains it, for twenty epochs unless it says so"
)
_WIDE_SOURCE = "fast-32 of width 80 as its source trains it, with more augmentation"
_LONG_SOURCE_ROWS = {
    f"{_AS_SOURCE} for 20 epochs": "",
    f"{_AS_SOURCE}, with more augmentation for 30 epochs": " with more augmentation for thirty epochs",
    f"{_AS_SOURCE}, with more augmentation and a plain end for 30 epochs": " with more augmentation and a plain end for thirty epochs",
    f"{_WIDE_SOURCE} for 20 epochs": " of width 80 with more augmentation",
    f"{_WIDE_SOURCE} on all images for 21 epochs": " of width 80 with more augmentation on all images for 21 epochs",
}
_OF_I = "I's Table {}, of I's network and optimiser, without augmentation"


def _of_isomax(recipe: str, data: str, training: str, images: str) -> dict[str, Table]:
    """Return the tables of I's experiment on a data set, by their names."""
    return {
        f"{recipe}-errors": Table(
            recipe,
            f"{data}: test error in percent",
            of_rows("classification", "error"),
            ("head",),
            ("metric",),
            published="I's Table 3, of I's network",
            cpu=training,
        ),
        f"{recipe}-steps": Table(
            recipe,
            "Steps until the hold-out error is first within a tenth of its least",
            across("convergence", "steps"),
            ("head",),
            BY_ANOMALY,
            digits=0,
            published="I's Table 2, of longer trainings",
        ),
        f"{recipe}-neighbours": Table(
            recipe,
            "Accuracy of the k nearest neighbours in percent",
            across("neighbours", "accuracy"),
            ("head",),
            BY_ANOMALY,
            published="I's Table 3, of I's network",
        ),
        f"{recipe}-clusters": Table(
            recipe,
            "Normalised mutual information of clusters with classes",
            across("clusters", "nmi"),
            ("head",),
            BY_ANOMALY,
            digits=3,
            published="I's Table 5, of I's network",
        ),
        f"{recipe}-attacked": Table(
            recipe,
            "Test error in percent under FGSM",
            by_epsilon(of_rows("robustness", "error")),
            BY_ANOMALY,
            ("head",),
            published="I's Table 4, of I's network, whose ε cannot be these",
            cpu=images,
        ),
        f"{recipe}-scale": Table(
            recipe,
            "Factor on I's ε at which accuracies under FGSM are nearest to I's Table 4, and their root mean square difference there",
            across("robustness", "epsilon-scale", "epsilon-scale-misfit"),
            ("head",),
            BY_ANOMALY,
            digits=3,
        ),
    }


def _of_heads(name: str, groups: Mapping[str, str], training: str) -> dict[str, Table]:
    """Return the tables of the losses on a network and length of training, by their names."""
    return {
        name: Table(
            _CIFAR,
            "CIFAR-10: test error in percent",
            of_groups(groups, of_rows("classification", "error")),
            ("head",),
            ("metric",),
            published=_OF_I.format(3),
            cpu=training,
        ),
        f"{name}-neighbours": Table(
            _CIFAR,
            "Accuracy of the k nearest neighbours in percent",
            of_groups(groups, in_protocols("features as they are", across("neighbours", "accuracy"))),
            ("head",),
            BY_ANOMALY,
            published=_OF_I.format(3),
            cpu=training,
        ),
        f"{name}-clusters": Table(
            _CIFAR,
            "Normalised mutual information of clusters with classes",
            of_groups(groups, across("clusters", "nmi")),
            ("head",),
            BY_ANOMALY,
            digits=3,
            published=_OF_I.format(5),
            cpu=training,
        ),
        f"{name}-geometry": Table(
            _CIFAR,
            "Distance of two class means, and shape of the classes",
            of_groups(
                groups,
                across("geometry", "mean-distance", "mean-distance-cv", "intra-inter-ratio", "effective-dimensions"),
            ),
            ("head",),
            BY_ANOMALY,
            published="the optimum of the loss",
            cpu=training,
        ),
    }


TABLES: dict[str, Table] = (
    _of_isomax("mnist-isomax", "MNIST, 2-D", "`fast-28`, ten epochs", "2,000 images")
    | _of_heads("cifar10-heads-narrow", {"narrow fast-32": ""}, _NARROW)
    | _of_heads("cifar10-heads-longer", {"narrow fast-32 for 16 epochs": ""}, _LONGER)
    | _of_heads("cifar10-heads-whole", _WHOLE_ROWS, _WHOLE)
    | _of_heads("cifar10-heads-source", {f"{_AS_SOURCE} for 10 epochs": ""}, _SOURCE)
    | _of_heads("cifar10-heads-source-longer", _LONG_SOURCE_ROWS, _LONG_SOURCE)
    | _of_isomax("cifar-isomax", "CIFAR-10", _NARROW, "1,000 images")
)
