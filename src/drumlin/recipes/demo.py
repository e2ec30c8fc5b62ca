"""The demo: softmax and GM learn the digits 0-7; what do they make of 8, 9, noise, negatives and attacked digits?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drumlin.attacks import FGSM
from drumlin.data import load_ood
from drumlin.detectors import detectors_for
from drumlin.refusal import Prediction, Predictor, calibrate
from drumlin.results import Record
from drumlin.settings.backbones import backbone_settings, default_backbone
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings, default_training
from drumlin.tasks.base import Subject
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import anomalous_sets, detection, fit_detectors, refusal
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.tasks.shown import features_of
from drumlin.training import Run, train

RECIPE = "demo"
HEADS = ("softmax", "gm")
KNOWN, UNKNOWN = "digits:0-7", "digits:8,9"
ATTACK, ATTACKED = FGSM(epsilon=0.1), "fgsm(epsilon=0.1)"
SETS = (UNKNOWN, "inverted", "noise")
FALSE_ALARM = 0.01
DETECTOR = "k-density"
SHOWN = ("component-likelihood", "mixture-density", "msp", "max-logit", "energy", DETECTOR)
"""Few enough to be read in a terminal; `drumlin detect` compares more."""


@dataclass(frozen=True)
class Example:
    """One image's answer: what it really is, and what the predictor says."""

    truth: str
    prediction: Prediction


@dataclass(frozen=True)
class DemoResult:
    """All records of both runs, and three answers of the calibrated GM model: a known digit, an unknown one, noise."""

    records: list[Record]
    examples: list[Example]


def demo(out: Path, *, seed: int = 0, say: Callable[[str], None] = lambda text: None) -> DemoResult:
    """Train both models on the digits 0-7 below `out`, calibrate them at 1% false alarms, and measure what they refuse.

    Runs that are finished already are not trained again. A fifth of the training images is held out: at 1% false alarms
    calibration takes at least 99.

    Args:
        out: folder; the runs are `out/softmax` and `out/gm`.
        seed: of everything.
        say: hears what is going on.
    """
    records: list[Record] = []
    for head in HEADS:
        begun = (out / head / "config.json").exists()
        say(f"{head}: training on the digits 0-7")
        train(settings(head, seed), out / head, resume=begun)
        subject = Subject(Run(out / head), recipe=RECIPE)
        say(f"{head}: calibrating, and measuring what it refuses")
        records += _measure(subject)
    return DemoResult(records, _examples(Run(out / HEADS[-1])))


def settings(head: str, seed: int) -> RunSettings:
    """Return the settings of one of the demo's runs."""
    return RunSettings(
        data=DataSettings(name=KNOWN, holdout=0.2),
        head=head_settings(head),
        backbone=backbone_settings(default_backbone(KNOWN)),
        training=dataclasses.replace(default_training(KNOWN), device="cpu"),
        seed=seed,
    )


def _measure(subject: Subject) -> list[Record]:
    run = subject.run
    detectors = fit_detectors(subject, [name for name in SHOWN if name in detectors_for(run.classifier.head)])
    attacked = attack_images(subject, ATTACK)
    sets = anomalous_sets(subject, SETS) | {ATTACKED: attacked.shown}
    anomalies = features_of(sets)
    conformal = calibrate(run.classifier, detectors[DETECTOR], subject.features(run.holdout_images()), FALSE_ALARM)
    Predictor(run.classifier, detectors[DETECTOR], conformal).save(run.folder, holdout=run.split.holdout)
    results = [
        ("classification", classification(subject)),
        ("geometry", geometry(subject)),
        ("robustness", robustness(subject, attacked, ATTACKED)),
        ("detection", detection(subject, anomalies, detectors)),
        ("detection", refusal(subject, anomalies, detectors[DETECTOR], conformal)),  # the same scores
    ]
    for name, result in results:
        result.store(run.folder, name)
    # After the scores, whose extremes it keeps.
    feature_map(subject, known_sets(subject) | sets).store(run.folder, "map")
    return [record for _, result in results for record in result.records]


def _examples(run: Run) -> list[Example]:
    """Return the answers to the first image of the test split, of the unknown digits and of the noise."""
    from drumlin.refusal import load

    predictor, known = load(run.folder), run.test_images()
    sets = [known, *(load_ood(spec, known, seed=run.settings.seed) for spec in (UNKNOWN, "noise"))]
    truths = [*(f"the digit {images.class_names[int(images.labels[0])]}" for images in sets[:2]), "noise"]
    return [
        Example(truth, predictor.predict(images.float(slice(0, 1)))) for truth, images in zip(truths, sets, strict=True)
    ]
