"""Tables of models as they are: errors, calibration, geometry, what they refuse."""

from __future__ import annotations

from drumlin.report.measured.catalogue.base import BY_ANOMALY, Table
from drumlin.report.measured.choices import across, auroc, classification, geometry, heads, of_rows, refused, shape

TABLES: dict[str, Table] = {
    "mnist-classification": Table(
        "mnist",
        "Classification of the MNIST test images, and time of training",
        classification,
        ("head",),
        ("metric", "unit"),
    ),
    "mnist-geometry": Table(
        "mnist",
        "Geometry of the feature space on MNIST",
        geometry,
        ("head",),
        ("metric", "unit"),
        published="the distance at the optimum of the loss, where it has one",
    ),
    "mnist-detection": Table(
        "mnist",
        "AUROC in percent: MNIST test images against what no model saw in training",
        auroc,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-refusal": Table(
        "mnist",
        "Share refused in percent, calibrated on held-out training images for 1% false alarms",
        refused,
        ("head", "detector"),
        ("anomaly",),
    ),
    "mnist-heads": Table(
        "mnist-heads",
        "MNIST, `fast-28`, three epochs: test error in percent",
        heads(None),
        ("head",),
        ("anomaly",),
        published="what was published for L's network",
    ),
    "mnist-heads-table-1": Table(
        "mnist-heads",
        "MNIST, L's network (`cvpr-6`), three epochs at one rate: test error in percent",
        heads("L's network"),
        ("head",),
        ("anomaly",),
        published="L's Table 1",
    ),
    "mnist-distances": Table(
        "mnist-distances",
        "MNIST, GM in 100-D: distance of two class means, and shape of the classes",
        shape,
        ("head",),
        ("metric", "unit"),
        digits=3,
        published="the optimum of the loss",
    ),
    "cifar-errors": Table(
        "cifar-detection",
        "CIFAR-10, ResNet-20, five epochs: test error in percent",
        of_rows("classification", "error"),
        ("head",),
        ("metric",),
    ),
    "mnist-isomax-errors": Table(
        "mnist-isomax",
        "MNIST, 2-D: test error in percent",
        of_rows("classification", "error"),
        ("head",),
        ("metric",),
        published="I's Table 3",
    ),
    "mnist-isomax-steps": Table(
        "mnist-isomax",
        "Steps until the hold-out error is first within a tenth of its least",
        across("convergence", "steps"),
        ("head",),
        BY_ANOMALY,
        digits=0,
    ),
    "mnist-isomax-neighbours": Table(
        "mnist-isomax",
        "Accuracy of the k nearest neighbours in percent",
        across("neighbours", "accuracy"),
        ("head",),
        BY_ANOMALY,
        published="I's Table 3",
    ),
    "mnist-isomax-clusters": Table(
        "mnist-isomax",
        "Normalised mutual information of clusters with classes",
        across("clusters", "nmi"),
        ("head",),
        BY_ANOMALY,
        digits=3,
        published="I's Table 5",
    ),
    "mnist-isomax-attacked": Table(
        "mnist-isomax",
        "Test error in percent of 2,000 images under FGSM",
        of_rows("robustness", "error"),
        ("head",),
        BY_ANOMALY,
    ),
    "mnist-isomax-scale": Table(
        "mnist-isomax",
        "Factor on I's ε at which the accuracies under FGSM are nearest to I's Table 4, and their root mean square difference there",
        across("robustness", "epsilon-scale", "epsilon-scale-misfit"),
        ("head",),
        BY_ANOMALY,
        digits=3,
    ),
}
