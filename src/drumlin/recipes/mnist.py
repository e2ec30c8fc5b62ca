"""MNIST with softmax and GM, three seeds: error, time, geometry, and what tells it from Fashion-MNIST and Omniglot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from drumlin.attacks import FGSM
from drumlin.refusal import Predictor, calibrate
from drumlin.results import Record
from drumlin.settings.backbones import backbone_settings, default_backbone
from drumlin.settings.data import DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings, default_training
from drumlin.tasks.base import Subject, TaskResult
from drumlin.tasks.classification import classification
from drumlin.tasks.detection import anomalous_sets, detection, fit_detectors, refusal
from drumlin.tasks.feature_map import feature_map, known_sets
from drumlin.tasks.geometry import geometry
from drumlin.tasks.robustness import attack_images, robustness
from drumlin.tasks.shown import features_of
from drumlin.tasks.training_time import training_time
from drumlin.training import Run, train
from drumlin.training.progress import Reporter

RECIPE = "mnist"
HEADS = ("softmax", "gm")
SEEDS = (0, 1, 2)
SETS = ("fashion-mnist", "omniglot", "noise", "inverted")
ATTACK, ATTACKED = FGSM(epsilon=0.1), "fgsm(epsilon=0.1)"
FALSE_ALARM = 0.01


def settings(head: str, seed: int, root: str | None = None, download: bool = False) -> RunSettings:
    """Return the settings of one run: the defaults of `drumlin train --data mnist`."""
    return RunSettings(
        data=DataSettings(name="mnist", root=root, download=download),
        head=head_settings(head),
        backbone=backbone_settings(default_backbone("mnist")),
        training=default_training("mnist"),
        seed=seed,
    )


def mnist(
    out: Path,
    *,
    root: str | None = None,
    download: bool = False,
    reporter: Callable[[], Reporter] | None = None,
) -> Iterator[list[Record]]:
    """Train, calibrate and measure every head and seed below `out`; yield the records of one run after the other.

    Runs that were trained already are not trained again, begun ones are gone on with.
    """
    for seed in SEEDS:
        for head in HEADS:
            folder = out / f"{head}-{seed}"
            begun = (folder / "config.json").exists()
            asked = settings(head, seed, root, download)
            train(asked, folder, resume=begun, reporter=reporter() if reporter else None)
            run = Run(folder, root=root, download=download, device=asked.training.device)
            yield measure(Subject(run, recipe=RECIPE))


def measure(subject: Subject) -> list[Record]:
    """Calibrate a run with each detector that fits its head, and measure it; return the records.

    Refusal is measured for every detector; the last calibrated one, K-density, stays in the run.
    """
    run = subject.run
    classifier = run.classifier
    sets = anomalous_sets(subject, SETS, root=run.root, download=run.download)
    attacked = attack_images(subject, ATTACK)
    sets[ATTACKED] = attacked.shown
    anomalies = features_of(sets)
    detectors = fit_detectors(subject)
    results: dict[str, TaskResult] = {
        "training": training_time(subject),
        "classification": classification(subject),
        "geometry": geometry(subject),
        "robustness": robustness(subject, attacked, ATTACKED),
        "detection": detection(subject, anomalies, detectors),
    }
    holdout = subject.features(run.holdout_images())
    # The halves of MNIST's test images come from different sources, and their false alarms differ.
    test = subject.features(run.test_images())
    middle = len(test) // 2
    halves = {
        "test, first half": test.subset(torch.arange(middle)),
        "test, second half": test.subset(torch.arange(middle, len(test))),
    }
    for name, detector in detectors.items():
        conformal = calibrate(classifier, detector, holdout, FALSE_ALARM)
        Predictor(classifier, detector, conformal).save(run.folder, holdout=run.split.holdout)
        # Its scores are detection's, and those of the halves are parts of them.
        records = refusal(subject, halves | anomalies, detector, conformal).records
        results[f"refusal-{name}"] = TaskResult(records)
    for name, result in results.items():
        result.store(run.folder, name)
    # After the scores, whose extremes it keeps.
    feature_map(subject, known_sets(subject) | sets).store(run.folder, "map")
    return [record for result in results.values() for record in result.records]
