"""MNIST under FGSM, and telling attacked images by their likelihood: L Table 6 and Figs. 3-6."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from drumlin.attacks import FGSM
from drumlin.recipes.attacks.mnist_fgsm_figures import draw
from drumlin.recipes.classification.mnist_heads import HEADS
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.scales import MNIST, MNIST_100D, candidates, setting
from drumlin.recipes.tables import row_of
from drumlin.recipes.variants import Measured, Published, Variant
from drumlin.results import Record, in_percent, select, table
from drumlin.results.record import Scale
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import detection, fit_detectors
from drumlin.tasks.robustness import attack_images, robustness

ABOUT = "MNIST under FGSM: error against epsilon, and attacked images told by their likelihood (L Table 6, Figs. 3-6)"
EPSILONS = (0.1, 0.2, 0.3)
VERIFIED = "fgsm(epsilon=0.3)"
TARGETED = "fgsm(loss=head, epsilon=0.3, target=second)"
DETECTORS = ("component-likelihood", "msp")
"""Of L's likelihood, and of the posterior of Fig. 3."""

ROWS: dict[str, HeadSettings] = {
    "softmax": HEADS["softmax"],
    "center": HEADS["center"],
    "lgm": HEADS["lgm"],
    "lgm identity": head_settings("lgm", margin=1.0, covariance="identity"),
}
"""L assumes an identity covariance "for simplicity" where likelihoods are compared; with learned ones the determinant is in it."""

_TABLE_6 = {"softmax": (24.08, 75.56, 84.87), "center": (43.13, 67.17, 85.49), "lgm": (23.63, 64.40, 81.62)}
"""Error rates in percent at `EPSILONS`."""
_EER = {"softmax": 37.7, "center": 10.2, "lgm": 3.1}


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: 100-D features, the learning rate chosen as in mnist-heads."""
    return Experiment("mnist-fgsm", scale, tuple(_variants(scale)), measure, draw, show)


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield error, error under FGSM of rising strength, and how well two scores tell attacked images."""
    yield classification(subject)
    attacked = {f"fgsm(epsilon={epsilon})": attack_images(subject, FGSM(epsilon=epsilon)) for epsilon in EPSILONS}
    # T's and L's targeted attack descends the loss of training, which brings features to the target's mean.
    attacked[TARGETED] = attack_images(subject, FGSM(epsilon=0.3, loss="head"), target="second")
    for name, found in attacked.items():
        yield robustness(subject, found, name)
    verified = {name: attacked[name].features for name in (VERIFIED, TARGETED)}
    result = detection(subject, verified, fit_detectors(subject, DETECTORS))
    result.store(subject.run.folder, "detection")  # the figures are drawn of its scores
    yield result


def show(records: Sequence[Record]) -> str:
    """Return L's Table 6 and the equal error rates in percent, published values in parentheses."""
    errors = select(records, task="robustness", metric="error")
    rates = select(records, task="detection", metric="eer")
    both = [
        table([row_of(in_percent(r)) for r in errors], rows=["protocol"], columns=["anomaly"], published=True),
        table(
            [row_of(in_percent(r)) for r in rates], rows=["protocol", "detector"], columns=["anomaly"], published=True
        ),
    ]
    return "Error under attack, %\n\n{}\n\nEqual error rate, %\n\n{}".format(*both)


def _variants(scale: Scale) -> Iterator[Variant]:
    chosen = setting(MNIST, scale)
    for name, head in ROWS.items():
        rates = candidates(chosen, head, feature_dim=100, **MNIST_100D[scale])
        yield Variant(f"{name}, 100-D", rates, chosen.seeds, also=_published(name) if chosen.data == "mnist" else {})


def _published(name: str) -> dict[Measured, Published]:
    loss = name.partition(" ")[0]
    values = {
        Measured("robustness", "error", None, f"fgsm(epsilon={epsilon})"): Published(error / 100, "L Table 6")
        for epsilon, error in zip(EPSILONS, _TABLE_6[loss], strict=True)
    }
    values[Measured("detection", "eer", DETECTORS[0], VERIFIED)] = Published(_EER[loss] / 100, "L §4.3")
    if loss == "lgm":
        values[Measured("detection", "eer", DETECTORS[0], TARGETED)] = Published(0.043, "L §4.3")
        values[Measured("robustness", "error", None, TARGETED)] = Published(0.8137, "L §4.3")
    return values
