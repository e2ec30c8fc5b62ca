"""How a classifier fares under an attack, and the attacked images for detectors to find."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.attacks import Attack, AttackResult, random_targets, second_most_probable
from drumlin.data import ImageFiles, Images, class_by_class, some
from drumlin.detectors import Detector
from drumlin.features import FeatureRequest, FeatureSet, concatenate, evaluation_mode, feature_set
from drumlin.metrics.intervals import wilson
from drumlin.model import Classifier, read_description
from drumlin.tasks.base import Subject, TaskResult, as_arrays
from drumlin.tasks.shown import Kind, ShownSet, thumbnails

TASK = "robustness"
_CACHE_VERSION = 4
_HIDDEN = "hidden."
_MEASURED = ("success", "l2", "linf", "zero_gradient", "iterations")
UNTARGETED = "untargeted"
TARGETS: dict[str, Callable[[Classifier, Tensor, Tensor, torch.Generator], Tensor | None]] = {
    UNTARGETED: lambda classifier, x, y, generator: None,
    "second": lambda classifier, x, y, generator: second_most_probable(classifier, x, y),
    "random": lambda classifier, x, y, generator: random_targets(y, classifier.head.num_classes, generator),
}
"""Which class an attack goes for, by name: (classifier, x, y, generator) → targets (N,), or None."""
Progress = Callable[[int, int], None]
"""Hears (images done, images in all): first of what is there already, then after every batch."""


@dataclass(frozen=True)
class Attacked:
    """Features and thumbnails of attacked images, and what the attack did to them, a value a sample."""

    shown: ShownSet
    success: Tensor
    l2: Tensor
    linf: Tensor
    zero_gradient: Tensor
    iterations: Tensor

    @property
    def features(self) -> FeatureSet:
        """Features of the attacked images."""
        return self.shown.features


def attack_images(
    subject: Subject,
    attack: Attack,
    *,
    target: str = UNTARGETED,
    limit: int | None = None,
    seed: int = 0,
    holdout: bool = False,
    detector: Detector | None = None,
    request: FeatureRequest | None = None,
    reporter: Progress | None = None,
) -> Attacked:
    """Attack the test images (of all classes, also with a `limit`) and return their features and thumbnails; cached in the run.

    Every batch is cached when it is done: after an interruption the same call goes on behind the last whole one, with the same
    result. The randomness of a batch comes from the seed and its number, so that it depends on the batch size, too.

    Args:
        subject: the run.
        attack: what to attack with. What it lacks, as a threshold, comes from scores of held-out images (`Attack.prepared`).
        target: one of `TARGETS`: "untargeted", "second" (the most probable of the other classes) or "random".
        limit: number of images, see `drumlin.data.some`; None for all.
        seed: of the attack's own randomness and of random targets.
        holdout: attack held-out images instead, to fit something to what comes out.
        detector: fitted, whose score the attack is to keep low; None for none.
        request: what the attacked images' features must have beside z and logits, for detectors to score them.
        reporter: hears how far it is.

    Raises:
        ValueError: an unknown target, `limit` below 1, or what the attack refuses.
    """
    if target not in TARGETS:
        raise _io.unknown("target", target, TARGETS)
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    subject.begin()
    run = subject.run
    images = run.holdout_images() if holdout else run.test_images()
    if limit is not None:
        images = images.subset(some(images.labels, limit))
    if detector is not None and attack.needs_score:
        attack = attack.prepared(detector.score, subject.features(run.holdout_images(), detector.request))
    model = read_description(run.folder)["content"]
    against = None if detector is None else _identity(detector)
    wanted = request or FeatureRequest()
    data = [images.name, images.split, images.fingerprint]
    key = [_CACHE_VERSION, repr(attack), target, seed, *data, model, against, repr(wanted)]
    cache = run.features / f"attacked-{_io.hash_json(key)[:32]}.safetensors"
    tensors = _read(cache)
    if tensors is None:
        tensors = _attack(subject, _Request(attack, target, seed, detector, wanted), images, cache, reporter)
    hidden = {name.removeprefix(_HIDDEN): values for name, values in tensors.items() if name.startswith(_HIDDEN)}
    draws = tensors["draws"].transpose(0, 1) if "draws" in tensors else None
    features = FeatureSet(tensors["z"], tensors["logits"], tensors["y"], hidden, draws)
    small = Images(
        pixels=tensors["thumbnails"],
        labels=tensors["y"],
        class_names=images.class_names,
        name=images.name,
        split=images.split,
        note=f"attacked by {attack!r}",
    )
    return Attacked(ShownSet(Kind.ATTACKED, features, small), *(tensors[name] for name in _MEASURED))


def pick(options: Sequence[Attacked], which: Tensor) -> Attacked:
    """Return for each image the result of one of several attacks on the same images.

    Args:
        options: of N images each.
        which: places (N,) in `options`.
    """
    n = len(which)
    rows = which * n + torch.arange(n)
    shown = [option.shown for option in options]
    images = [cast(Images, one.images) for one in shown]
    pixels = torch.cat([part.pixels for part in images])[rows]
    return Attacked(
        ShownSet(
            Kind.ATTACKED,
            concatenate([one.features for one in shown]).subset(rows),
            dataclasses.replace(images[0], pixels=pixels, note="the strongest of several attacks on each image"),
        ),
        *(torch.cat([getattr(option, name) for option in options])[rows] for name in _MEASURED),
    )


@dataclass(frozen=True)
class _Request:
    """How to attack."""

    attack: Attack
    target: str
    seed: int
    detector: Detector | None
    wanted: FeatureRequest


def _attack(
    subject: Subject, request: _Request, images: Images | ImageFiles, cache: Path, reporter: Progress | None
) -> dict[str, Tensor]:
    """Return what is cached of every batch, attack the others, and make one file of all."""
    size = request.attack.batch_size
    files = [cache.with_name(f"{cache.stem}-{number}{cache.suffix}") for number in range(-(-len(images) // size))]
    parts = [_read(file) for file in files]

    def report() -> None:
        if reporter is not None:
            reporter(sum(len(part["y"]) for part in parts if part is not None), len(images))

    report()
    for number, (x, y) in enumerate(images.batches(size)):
        if parts[number] is None:
            parts[number] = part = _attack_batch(subject, request, x, y, number)
            write_tensors(files[number], part)
            report()
    done = [part for part in parts if part is not None]
    whole = {name: torch.cat([part[name] for part in done]) for name in done[0]}
    write_tensors(cache, whole)
    for file in files:
        file.unlink(missing_ok=True)
    return whole


def _attack_batch(subject: Subject, request: _Request, x: Tensor, y: Tensor, number: int) -> dict[str, Tensor]:
    classifier = subject.run.classifier
    generator = torch.Generator().manual_seed(int(_io.hash_json([request.seed, number])[:15], 16))
    target = TARGETS[request.target](classifier, x, y, generator)
    detector = request.detector
    result: AttackResult = request.attack(
        classifier,
        x,
        y,
        target=target,
        score=None if detector is None else detector.score,
        request=None if detector is None else detector.request,
        generator=generator,
    )
    with torch.no_grad(), evaluation_mode(classifier):
        attacked = result.x.to(classifier.device)
        features = feature_set(classifier, attacked, hidden=request.wanted.hidden, draws=request.wanted.draws)
    # rounded to whole bytes, as a file of the image would be: to look at, not to measure on
    small = thumbnails((result.x * 255).round().to(torch.uint8))
    measured = {name: getattr(result, name) for name in _MEASURED}
    found = {"z": features.z, "logits": features.logits}
    found |= {_HIDDEN + name: values for name, values in features.hidden.items()}
    if features.draws is not None:
        found["draws"] = features.draws.transpose(0, 1)  # a row an image, as of everything
    cpu = {name: values.cpu().contiguous() for name, values in found.items()}
    return {**cpu, "y": y, "thumbnails": small, **measured}


def _read(file: Path) -> dict[str, Tensor] | None:
    """Return the tensors of a file, or None if it is not there or not whole."""
    try:
        return read_tensors(file)[0]
    except (FileNotFoundError, ValueError):
        return None


def _identity(detector: Detector) -> list[str]:
    """Return the hashes of all that a fitted detector is made of, but for the head, which is the run's."""
    with tempfile.TemporaryDirectory() as folder:
        detector.save(folder)
        return [_io.hash_file(file) for file in sorted(Path(folder).iterdir())]


def _protocol(subject: Subject, limit: int | None) -> str | None:
    """Return which of the test images `attack_images` takes; None for all."""
    if limit is None:
        return None
    spread = class_by_class(subject.run.test_images().labels)
    return f"{limit}-test-samples-of-all-classes" if spread else f"first-{limit}-test-samples"


def robustness(subject: Subject, attacked: Attacked, label: str, *, limit: int | None = None) -> TaskResult:
    """Measure error, success, distortion, iterations and the share of exactly zero gradients under an attack.

    Distortion is the root mean square over pixels of the change, in units of 0..1; the mean is over successful attacks.
    Iterations are gradients computed for an image, the mean over all of them.
    A large share of zero gradients means that a saturated loss hides the model's weakness from this attack. With a `limit` the
    records' protocol says so.

    Args:
        subject: the run.
        attacked: what `attack_images` made of its test images.
        label: what the records call the attack, e.g. "fgsm(epsilon=0.1)".
        limit: the number of images that were asked for; None for all.
    """
    n, y = len(attacked.features), attacked.features.y
    assert y is not None
    wrong, won = int((attacked.features.prediction != y).sum()), int(attacked.success.sum())
    facts = {"split": "test", "anomaly": label, "n": n, "protocol": _protocol(subject, limit)}
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
    computed = float(attacked.iterations.double().mean())
    records.append(subject.record(TASK, "iterations", computed, unit="gradients an image", **facts))
    return TaskResult(records, as_arrays({"success": attacked.success, "l2": attacked.l2}))
