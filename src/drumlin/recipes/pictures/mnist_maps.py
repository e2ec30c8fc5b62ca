"""MNIST's features in two dimensions: the models of L and T Fig. 1, I Figs. 2-4 and S's pictures, each trained once."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from drumlin.attacks import FGSM
from drumlin.detectors import detectors_for
from drumlin.detectors.base import Detector
from drumlin.features import FeatureSet
from drumlin.heads import Head
from drumlin.recipes.classification.mnist_heads import HEADS, PUBLISHED, TABLE_1
from drumlin.recipes.experiment import Experiment
from drumlin.recipes.pictures.mnist_map_figures import ATTACKED, CENTER, DETECTORS, ISOTROPIC, SURFACE, draw
from drumlin.recipes.scales import MNIST, Setting, run_settings, setting
from drumlin.recipes.variants import Published, Variant
from drumlin.results.record import Scale
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.heads import HeadSettings, head_settings
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import detection, fit_detectors
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.robustness import attack_images

ABOUT = "MNIST's features in two dimensions: the pictures of L and T Fig. 1, I Figs. 2-4, and S (its embeddings of m = 1 to 4)"
RATES: dict[Scale, float] = {"cpu": 0.1, "paper": 0.03, "smoke": 0.01}
"""The learning rate of all models, not tuned. On the fast network mnist-heads finds 0.1 best for softmax and center loss in 2-D;
L's has no normalisation inside, and takes what it has for L Table 1."""
ATTACK = FGSM(epsilon=0.1)
"""T's; L's figure does not say."""

ROWS: dict[str, HeadSettings] = {
    "softmax": HEADS["softmax"],
    CENTER: HEADS["center"],
    **{f"l-softmax m={m}": head_settings("l-softmax", margin=m) for m in (1, 2, 3, 4)},
    "lgm alpha=0": TABLE_1["lgm alpha=0"][0],
    "lgm": HEADS["lgm"],
    "gm alpha=0": head_settings("gm", margin=0.0),
    "gm": HEADS["gm"],
    **{f"isotropic alpha={alpha:g}": head_settings("isotropic", weight=alpha) for alpha in (0.005, 0.05, 0.5)},
}
"""The models by what their records call them; those that mnist-heads has too are called as there."""

_ALSO = {"l-softmax m=1": Published(0.0155, "S, test accuracy on MNIST")}
"""What mnist-heads has no row for: S's m = 1 is softmax without bias."""

_TWICE = (CENTER, ISOTROPIC)
"""I Fig. 4 has these of two trainings."""


def experiment(scale: Scale) -> Experiment:
    """Return the experiment: a training a model, two of those in I Fig. 4."""
    return Experiment("mnist-maps", scale, tuple(_variants(setting(MNIST, scale), RATES[scale])), measure, draw)


def _variants(scale: Setting, rate: float) -> Iterator[Variant]:
    for name, head in ROWS.items():
        settings = run_settings(scale, head, backbone_settings(scale.backbone, feature_dim=2), rate)
        published = {**PUBLISHED[2], **_ALSO}.get(name) if scale.data == "mnist" else None
        yield Variant(name, {f"lr={rate:g}": settings}, (0, 1) if name in _TWICE else (0,), published)


def measure(subject: Subject) -> Iterator[TaskResult]:
    """Yield error, geometry, and of mixtures how well density tells attacked images; store these and the map in the run.

    The figures are drawn from what is stored, and the run's page shows it.
    """
    head = subject.run.classifier.head
    attacked = attack_images(subject, ATTACK).shown
    results = {"classification": classification(subject), "geometry": geometry(subject)}
    detectors = {}
    if set(DETECTORS) <= set(detectors_for(head)) and not collapsed(subject.features(subject.run.train_images())):
        detectors = fit_detectors(subject, DETECTORS)
        results["detection"] = detection(subject, {ATTACKED: attacked.features}, detectors)
    for name, result in results.items():
        result.store(subject.run.folder, name)
    # after the scores, whose extremes it keeps
    shown = feature_map(subject, known_sets(subject) | {ATTACKED: attacked})
    shown.store(subject.run.folder, "map")
    if detectors:
        surface(detectors["k-density"], head, shown).store(subject.run.folder, SURFACE)
    yield from results.values()


def collapsed(features: FeatureSet) -> bool:
    """Return whether the features of every class are one and the same, so that there is no K-density of them.

    >>> z, logits = torch.tensor([[1.0], [1.0], [2.0]]), torch.zeros(3, 2)
    >>> collapsed(FeatureSet(z, logits, torch.tensor([0, 0, 1]))), collapsed(FeatureSet(z, logits, torch.tensor([0, 1, 1])))
    (True, False)
    """
    assert features.y is not None
    classes = [features.z[features.y == k] for k in torch.unique(features.y).tolist()]
    return all(bool((z == z[0]).all()) for z in classes)


@torch.no_grad()
def surface(detector: Detector, head: Head, shown: TaskResult) -> TaskResult:
    """Return the negative scores of a detector where the map has its density, each for the class that is predicted there.

    Args:
        detector: fitted.
        head: whose predictions count.
        shown: result of `feature_map`, of a head with a density.

    Returns:
        No records; arrays `x` (G,), `y` (G,) and `log` (G, G), rows y.
    """
    x, y = shown.arrays["density/x"], shown.arrays["density/y"]
    z = torch.cartesian_prod(y, x).flip(1)
    scores = detector.score(FeatureSet(z, head.logits(z.to(head.device)).to(z.device)))
    return TaskResult([], as_arrays({"x": x, "y": y, "log": -scores.view(len(y), len(x))}))
