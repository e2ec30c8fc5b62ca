"""Tables of models as they are: errors, calibration, geometry, what they refuse."""

from __future__ import annotations

from drumlin.report.measured.catalogue.base import Table
from drumlin.report.measured.choices import auroc, classification, geometry, heads, of_rows, refused, shape

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
        "MNIST: test error in percent",
        heads(),
        ("head",),
        ("anomaly",),
        published="what was published for L's network",
        cpu="`fast-28`, three epochs",
    ),
    "mnist-heads-table-1": Table(
        "mnist-heads",
        "MNIST, L's network (`cvpr-6`): test error in percent",
        heads("L's network"),
        ("head",),
        ("anomaly",),
        published="Table 1 of L, of GM that of T",
        cpu="three epochs at one rate",
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
        "CIFAR-10: test error in percent",
        of_rows("classification", "error"),
        ("head",),
        ("metric",),
        cpu="ResNet-20, five epochs",
    ),
}
