"""The sentence on top: how often it errs, what it refuses, what it catches, and where it is weakest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from drumlin.metrics.caution import weak_model
from drumlin.metrics.intervals import false_alarm_interval, wilson
from drumlin.report.contents import TEST, Calibration, Kind, RunContents, point_p_values
from drumlin.report.reading import command
from drumlin.report.text import listing, percent, span
from drumlin.results import Record

_PREFERRED = ("k-density", "component-likelihood", "msp")


@dataclass(frozen=True)
class Share:
    """What part of a set is refused, of how many images, with its 95% interval."""

    name: str
    kind: Kind
    value: float
    n: int
    low: float
    high: float


def main_detector(run: RunContents) -> str | None:
    """Return the detector that the page is about: the calibrated one, else the first of a few, else any; None without scores."""
    calibrated = [run.calibration.detector] if run.calibration else []
    return next((name for name in (*calibrated, *_PREFERRED, *run.scores) if name in run.scores), None)


def refused_shares(run: RunContents) -> list[Share]:
    """Return what the calibrated refusal refuses of each set: first the test images (false alarms), then the others.

    The interval of the false alarms is the one in which calibration promises them; the others are Wilson's. A score that is
    NaN is refused.
    """
    calibration, scores = run.calibration, run.calibrated_scores
    if calibration is None:
        return []
    shares = []
    for name in (TEST, *run.anomalies):
        if len(scores.get(name, ())):
            refused = calibration.refuses(scores[name])
            n, count = len(refused), int(refused.sum())
            low, high = _promise(calibration, n) if name == TEST else wilson(count, n)
            shares.append(Share(name, run.kind(name), count / n, n, low, high))
    return shares


def test_error(run: RunContents) -> Record | None:
    """Return the error on the test images."""
    return run.value(task="classification", metric="error")


def summary(run: RunContents) -> list[str]:
    """Return sentences a reader can act on; commands stand between backticks. What has not been measured says how to."""
    shares = refused_shares(run)
    false_alarms = next((share for share in shares if share.name == TEST), None)
    caught = [share for share in shares if share.name != TEST]
    sentences = [_errs_and_refuses(run, false_alarms)]
    if run.calibration is None:
        sentences.append(f"It cannot refuse yet: run `{command('calibrate', run.folder, '--false-alarm', '0.01')}`.")
        sentences += _separations(run)
    elif false_alarms is not None:
        sentences += _promise_kept(run.calibration, false_alarms)
    sentences += _caught(run, caught)
    if not run.anomalies:
        sentences.append(
            "What it does with images of nothing it knows has not been measured: run "
            f"`{command('detect', run.folder, '--ood', 'noise', 'inverted')}`."
        )
    elif run.calibration is not None and not shares:
        sentences.append(
            f"What it refuses has not been measured since it was calibrated with {run.calibration.detector}: run "
            f"`{command('detect', run.folder, '--ood', 'noise', 'inverted')}`."
        )
    return sentences + _missing_numbers(run)


def _errs_and_refuses(run: RunContents, false_alarms: Share | None) -> str:
    error = test_error(run)
    if error is None:
        text = f"How often it errs has not been measured: run `{command('evaluate', run.folder)}`"
    else:
        interval = span(error.ci_low, error.ci_high)
        text = f"It errs on {percent(error.value)} of test images" + (f" ({interval})" if interval else "")
    if false_alarms is None or run.calibration is None:
        return f"{text}."
    joint = " and" if error is not None else "; it"
    asked = percent(run.calibration.false_alarm)
    return f"{text}{joint} refuses {percent(false_alarms.value)} of good ones (you asked for {asked})."


def _promise_kept(calibration: Calibration, share: Share) -> list[str]:
    if share.value <= share.high:
        return []
    return [
        f"That is more than chance explains (up to {percent(share.high)}): the test images are not like the held-out ones it was "
        f"calibrated on, {len(calibration.scores)} of them."
    ]


def _caught(run: RunContents, shares: list[Share]) -> list[str]:
    if not shares:
        return []
    sentences = [f"It catches {listing([f'{percent(share.value)} of {_named(run, share)}' for share in shares])}."]
    slips = {share: _slips_through(run, share) for share in shares}
    weakest = max(shares, key=lambda share: slips[share])
    if slips[weakest] < 0.05:
        sentences.append("No set was found that slips through in numbers; try it on what it will really meet.")
    elif len(shares) > 1:
        how = "is misread and accepted" if weakest.kind is Kind.ATTACKED else "slips through"
        sentences.append(f"Weakest: {percent(slips[weakest])} of {weakest.name} {how}.")
    return sentences


def _slips_through(run: RunContents, share: Share) -> float:
    """Return what part of a set does harm: it is accepted and, if it is of known classes, taken for another.

    Of attacked images that is counted on those drawn on the map, a random sample; without a map all accepted ones count.
    """
    for points in run.map.sets if run.map else ():
        if points.name == share.name and share.kind is Kind.ATTACKED and points.drawn.any():
            accepted = ~(point_p_values(run, points) <= (run.calibration.false_alarm if run.calibration else 0.0))
            return float((accepted & (points.prediction != points.label))[points.drawn].mean())
    return 1 - share.value


def _named(run: RunContents, share: Share) -> str:
    """Return what a set is called; attacked images that are still taken for what they are do no harm, so it says how many are."""
    if share.kind is not Kind.ATTACKED:
        return share.name
    error = run.value(task="robustness", metric="error", anomaly=share.name)
    fooled = "" if error is None else f" (which fools it in {percent(error.value)})"
    return f"the images attacked by {share.name}{fooled}"


def _separations(run: RunContents) -> list[str]:
    detector = main_detector(run)
    areas = {
        record.anomaly: record.value
        for record in run.records
        if record.task == "detection" and record.metric == "auroc" and record.detector == detector
    }
    known = [(name, area) for name in run.anomalies if (area := areas.get(name)) is not None]
    if not known:
        return []
    parts = listing([f"{name} with {percent(area)}" for name, area in known])
    worst = min(known, key=lambda pair: pair[1])[0]
    weakest = f" Weakest: {worst}." if len(known) > 1 else ""
    error = test_error(run)
    caution = weak_model(None if error is None else error.value)
    ranked = f"Its {detector} score ranks strange above good images, 50% being chance: {parts}.{weakest}"
    return [ranked] if caution is None else [ranked, caution]


def _missing_numbers(run: RunContents) -> list[str]:
    missing = {
        (detector, name): int(np.isnan(scores).sum())
        for detector, sets in run.scores.items()
        for name, scores in sets.items()
        if np.isnan(scores).any()
    }
    if not missing:
        return []
    parts = listing([f"{n} of {name} by {detector}" for (detector, name), n in missing.items()])
    return [f"Some scores are not a number ({parts}): figures leave them out, and a refusal refuses them."]


def _promise(calibration: Calibration, m: int) -> tuple[float, float]:
    return false_alarm_interval(len(calibration.scores), m, calibration.false_alarm)
