"""How a classifier fares under an attack, and the attacked images for detectors to find."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.attacks import Attack, AttackResult, random_targets, second_most_probable
from drumlin.data import ImageFiles, Images
from drumlin.features import FeatureSet, evaluation_mode, feature_set
from drumlin.metrics.intervals import wilson
from drumlin.model import Classifier, read_description
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.shown import Kind, ShownSet, thumbnails

TASK = "robustness"
_CACHE_VERSION = 2
UNTARGETED = "untargeted"
TARGETS: dict[str, Callable[[Classifier, Tensor, Tensor, torch.Generator], Tensor | None]] = {
    UNTARGETED: lambda classifier, x, y, generator: None,
    "second": lambda classifier, x, y, generator: second_most_probable(classifier, x, y),
    "random": lambda classifier, x, y, generator: random_targets(y, classifier.head.num_classes, generator),
}
"""Which class an attack goes for, by name: (classifier, x, y, generator) → targets (N,), or None."""


@dataclass(frozen=True)
class Attacked:
    """Features and thumbnails of attacked test images, and what the attack did to them, a value a sample."""

    shown: ShownSet
    success: Tensor
    l2: Tensor
    linf: Tensor
    zero_gradient: Tensor

    @property
    def features(self) -> FeatureSet:
        """Features of the attacked images."""
        return self.shown.features


def attack_test_images(
    subject: Subject, attack: Attack, *, target: str = UNTARGETED, limit: int | None = None, seed: int = 0
) -> Attacked:
    """Attack the test images (the first `limit` of them) and return their features and thumbnails; cached in the run.

    Args:
        subject: the run.
        attack: what to attack with.
        target: one of `TARGETS`: "untargeted", "second" (the most probable of the other classes) or "random".
        limit: number of images; None for all.
        seed: of the attack's own randomness and of random targets.

    Raises:
        ValueError: an unknown target, or `limit` below 1.
    """
    if target not in TARGETS:
        raise _io.unknown("target", target, TARGETS)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    run = subject.run
    images = run.test_images()
    if limit is not None:
        images = images.subset(torch.arange(min(limit, len(images))))
    model = read_description(run.folder)["content"]
    request = [_CACHE_VERSION, repr(attack), target, seed, images.name, images.fingerprint, model]
    cache = run.features / f"attacked-{_io.hash_json(request)[:32]}.safetensors"
    try:
        tensors, _ = read_tensors(cache)
    except (FileNotFoundError, ValueError):
        tensors = _attack(subject, attack, target, images, seed)
        write_tensors(cache, tensors)
    features = FeatureSet(tensors["z"], tensors["logits"], tensors["y"])
    small = Images(
        pixels=tensors["thumbnails"],
        labels=tensors["y"],
        class_names=images.class_names,
        name=images.name,
        split=images.split,
        note=f"attacked by {attack!r}",
    )
    return Attacked(
        ShownSet(Kind.ATTACKED, features, small),
        *(tensors[name] for name in ("success", "l2", "linf", "zero_gradient")),
    )


def _attack(subject: Subject, attack: Attack, target: str, images: Images | ImageFiles, seed: int) -> dict[str, Tensor]:
    classifier = subject.run.classifier
    generator = torch.Generator().manual_seed(seed)
    parts: dict[str, list[Tensor]] = {}
    for x, y in images.batches(attack.batch_size):
        result: AttackResult = attack(
            classifier, x, y, target=TARGETS[target](classifier, x, y, generator), generator=generator
        )
        with torch.no_grad(), evaluation_mode(classifier):
            features = feature_set(classifier, result.x, y)
        measured = {name: getattr(result, name) for name in ("success", "l2", "linf", "zero_gradient")}
        # rounded to whole bytes, as a file of the image would be: to look at, not to measure on
        small = thumbnails((result.x * 255).round().to(torch.uint8))
        named = {"z": features.z, "logits": features.logits, "y": y, "thumbnails": small}
        for name, value in {**named, **measured}.items():
            parts.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in parts.items()}


def robustness(
    subject: Subject, attack: Attack, label: str, *, target: str = UNTARGETED, limit: int | None = None
) -> TaskResult:
    """Measure error, success, distortion and the share of exactly zero gradients under an attack.

    Distortion is the root mean square over pixels of the change, in units of 0..1; the mean is over successful attacks.
    A large share of zero gradients means that a saturated loss hides the model's weakness from this attack. With a `limit` the
    records' protocol says so.

    Args:
        subject: the run.
        attack: what to attack with.
        label: what the records call it, e.g. "fgsm(epsilon=0.1)".
        target: one of `TARGETS`.
        limit: number of test images; None for all.
    """
    subject.begin()
    attacked = attack_test_images(subject, attack, target=target, limit=limit)
    n, y = len(attacked.features), attacked.features.y
    assert y is not None
    wrong, won = int((attacked.features.prediction != y).sum()), int(attacked.success.sum())
    protocol = None if limit is None else f"first-{limit}-test-samples"
    facts = {"split": "test", "anomaly": label, "n": n, "protocol": protocol}
    records = [
        subject.record(TASK, metric, count / n, unit="fraction", ci_low=low, ci_high=high, **facts)
        for metric, count in (
            ("error", wrong),
            ("success", won),
            ("zero-gradient", int(attacked.zero_gradient.sum())),
        )
        for low, high in [wilson(count, n)]
    ]
    distance = float(attacked.l2[attacked.success].mean()) if won else None
    records.append(subject.record(TASK, "distortion", distance, unit="RMS of pixels in 0..1", **(facts | {"n": won})))
    return TaskResult(records, as_arrays({"success": attacked.success, "l2": attacked.l2}))
