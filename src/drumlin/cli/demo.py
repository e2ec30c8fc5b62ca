"""drumlin demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from drumlin.cli._parsing import parse, progress
from drumlin.cli._tables import percent, table
from drumlin.results import Record, select


@dataclass(kw_only=True)
class Demo:
    """Train softmax and GM on the digits 0-7 and show what each refuses: 8 and 9, negatives, noise, attacked digits."""

    out: Path = Path("runs/demo")
    """Folder for the two runs and their page."""
    seed: int = 0
    """Of everything."""


def run(words: Sequence[str]) -> int:
    """Run the demo and print its table and three answers."""
    flags = parse(Demo, words, name="demo")
    from drumlin.recipes.demo import DETECTOR, FALSE_ALARM, HEADS, demo
    from drumlin.report import write_report

    result = demo(flags.out, seed=flags.seed, say=progress)
    print(
        "\nThe digits 0-7 are known, everything else is not. Error on test images, and under an attack (FGSM, 0.1):\n"
    )
    print(_errors(result.records))
    print("\nTelling them apart: AUROC / FPR at 95% TPR of each score, test digits against")
    print(_detection(result.records))
    print(f"\nRefused, calibrated with {DETECTOR} for {FALSE_ALARM:.0%} false alarms on known digits:\n")
    print(_refusals(result.records))
    print("\nThree answers of the calibrated GM model:\n")
    rows = []
    for example in result.examples:
        answer = example.prediction
        assert answer.accepted is not None
        assert answer.p_value is not None
        verdict = "accepted" if bool(answer.accepted[0]) else "REFUSED"
        cells = [f"{float(answer.probability[0]):.4f}", f"{float(answer.p_value[0]):.4f}", verdict]
        rows.append([example.truth, answer.names[0], *cells])
    print(table(["shown", "class", "probability", "p-value", "answer"], rows))
    runs = [flags.out / head for head in HEADS]
    page = write_report(runs, flags.out / "report.html")
    print(f"\nRuns: {' and '.join(map(str, runs))}. Try: drumlin predict {runs[-1]} IMAGE")
    print(f"Both on one page, to look at in a browser: {page}")
    return 0


def _errors(records: Sequence[Record]) -> str:
    rows = []
    for head in dict.fromkeys(r.head for r in records):
        errors = select(records, head=head, metric="error")
        rows.append(
            [head, *(percent(r.value) for r in errors), f"{percent(errors[0].ci_low)} to {percent(errors[0].ci_high)}"]
        )
    return table(["head", "test error", "attacked", "95% interval of the test error"], rows)


def _detection(records: Sequence[Record]) -> str:
    chosen = select(records, task="detection")
    sets = list(dict.fromkeys(r.anomaly for r in chosen))
    values = {(r.head, r.detector, r.anomaly, r.metric): r.value for r in chosen}
    rows = []
    for head, detector in dict.fromkeys((r.head, r.detector) for r in chosen):
        cells = [
            f"{_one(values[head, detector, anomaly, 'auroc'])} / {_one(values[head, detector, anomaly, 'fpr95'])}"
            for anomaly in sets
        ]
        rows.append([head, detector, *cells])
    return table(["head", "detector", *map(str, sets)], rows)


def _refusals(records: Sequence[Record]) -> str:
    chosen = select(records, task="refusal")
    sets = list(dict.fromkeys(str(r.anomaly) for r in chosen))
    values = {(r.head, r.anomaly): r.value for r in chosen}
    heads = dict.fromkeys(r.head for r in chosen)
    rows = [[head, *(percent(values[head, anomaly]) for anomaly in sets)] for head in heads]
    return table(["head", *("test (false alarms)" if name == "test" else name for name in sets)], rows)


def _one(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
