"""What is recorded of a step of an experiment: its measurements by the row's name, with what was published beside."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from drumlin.recipes.variants import Measured, Variant
from drumlin.results import Record
from drumlin.settings.run import RunSettings
from drumlin.tasks.base import Subject

if TYPE_CHECKING:
    from drumlin.recipes.experiment import Experiment, Step

TUNING = "tuning"
"""The task of records that settings are chosen by."""
_ERROR = Measured("classification", "error")


def measured(step: Step, experiment: Experiment, subject: Subject) -> list[Record]:
    """Return what the experiment measures of a subject, as records of the step's row."""
    records = [record for result in experiment.measure(subject) for record in result.records]
    return [_named(record, step.variant) for record in records]


def _named(record: Record, variant: Variant) -> Record:
    """Return a record as one of this variant, with what was published of it."""
    protocol = variant.name if record.protocol is None else f"{variant.name}; {record.protocol}"
    return beside_published(dataclasses.replace(record, protocol=protocol), variant)


def beside_published(record: Record, variant: Variant) -> Record:
    """Return a variant's record with what was published of that number; as it is where the variant knows of nothing."""
    _, _, how = (record.protocol or "").partition("; ")
    what = Measured(record.task, record.metric, record.detector, record.anomaly)
    exact = variant.also.get(what._replace(protocol=how or None))
    known = variant.published if what == _ERROR else exact or variant.also.get(what)
    if known is None:
        return record
    return dataclasses.replace(record, published=known.value, published_source=known.source)


def tuning_record(step: Step, subject: Subject) -> Record:
    """Return the record of a candidate's error on the hold-out."""
    error = _holdout_error(subject)
    n, protocol = len(subject.run.split.holdout), f"{step.variant.name}; {step.candidate}"
    facts = {"split": "holdout", "unit": "fraction", "n": n, "protocol": protocol}
    return subject.record(TUNING, "holdout-error", error, **facts, **subject.trained_with)


def _holdout_error(subject: Subject) -> float:
    error = subject.run.history[-1]["holdout_error"]
    if error is None:
        raise ValueError("candidates are chosen by their error on the hold-out, and nothing was held out")
    return float(error)


def diverged(step: Step, experiment: Experiment, settings: RunSettings) -> Record:
    """Return the record of a training that came to no end: it has no number."""
    task, metric, split, protocol = "classification", "error", "test", step.variant.name
    if step.tuning:
        task, metric, split, protocol = TUNING, "holdout-error", "holdout", f"{step.variant.name}; {step.candidate}"
    published = None if step.tuning else step.variant.published
    return Record(
        run=step.folder,
        recipe=experiment.name,
        task=task,
        data=settings.data.name,
        split=split,
        head=settings.head.name,
        backbone=settings.backbone.name,
        protocol=protocol,
        metric=metric,
        value=None,
        unit="fraction",
        seed=step.seed,
        scale=experiment.scale,
        published=None if published is None else published.value,
        published_source=None if published is None else published.source,
    )
