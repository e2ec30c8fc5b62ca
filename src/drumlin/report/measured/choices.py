"""What of a recipe's records a table shows: records → records, in the order of the table's lines, named as its headings are."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence

from drumlin.results import Record, select

Choice = Callable[[Sequence[Record]], list[Record]]
"""Records of a recipe → those of a table."""


def classification(records: Sequence[Record]) -> list[Record]:
    """Return error, error under attack, calibration and time: records of several tasks, so their columns need names of their own."""
    wanted = {
        ("classification", "error"): "test error",
        ("robustness", "error"): "error under FGSM",
        ("classification", "ece"): "expected calibration error",
        ("classification", "nll"): "log loss",
        ("training", "seconds"): "training",
    }
    found = [
        [dataclasses.replace(record, metric=label) for record in select(records, task=task, metric=metric)]
        for (task, metric), label in wanted.items()
    ]
    return [record for column in found for record in column]


def geometry(records: Sequence[Record]) -> list[Record]:
    """Return distances of means, and spreads within and between classes."""
    wanted = ("mean-distance", "mean-distance-cv", "intra-class-spread", "inter-class-distance")
    return select(records, task="geometry", metric=wanted)


def shape(records: Sequence[Record]) -> list[Record]:
    """Return distances of means, and how Gaussian the classes are."""
    wanted = ("mean-distance", "mean-distance-cv", "effective-dimensions", "first-eigenvalue", "kurtosis-ratio")
    return [dataclasses.replace(r, protocol=None) for r in select(records, task="geometry", metric=wanted)]


def auroc(records: Sequence[Record]) -> list[Record]:
    """Return the areas under ROC curves."""
    return select(records, task="detection", metric="auroc")


def refused(records: Sequence[Record]) -> list[Record]:
    """Return shares refused; those of test images are false alarms."""
    chosen = select(records, task="refusal", metric="refused")
    return [dataclasses.replace(r, anomaly="test (false alarms)") if r.anomaly == "test" else r for r in chosen]


def costs(metrics: Sequence[str]) -> Choice:
    """Return what chooses these ratios and peaks, in this order of columns, D and K for the protocol's words."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = [r for r in select(records, task="heads", metric=metrics) if "allocator" not in (r.protocol or "")]
        rows = sorted(found, key=lambda r: (_sizes(r), metrics.index(r.metric)))
        return [dataclasses.replace(r, protocol=(r.protocol or "").partition(", ")[2]) for r in rows]

    return choose


def _sizes(record: Record) -> list[int]:
    return [int(number) for number in re.findall(r"=(\d+)", record.protocol or "")]


def speed(records: Sequence[Record]) -> list[Record]:
    """Return a few of the costs, for README."""
    shown = ("gm / linear", "lgm / doubled", "gm far / gm", "gm chunked / gm", "gm bfloat16 / linear bfloat16")
    wanted = [f"N=256, D=512, K={k}" for k in (10, 100, 1000, 10000, 100000)]
    found = select(records, task="heads", protocol=wanted, metric=shown)
    return sorted(found, key=lambda r: (_sizes(r), shown.index(r.metric)))


def of_task(*tasks: str) -> Choice:
    """Return what chooses the records of these tasks."""
    return lambda records: select(records, task=tasks)


def heads(network: str = "") -> Choice:
    """Return what chooses test errors of the recipe mnist-heads: a row a head, a column a dimension."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task="classification", metric="error"):
            name, dimension, other = [*(record.protocol or "").split(", "), "", ""][:3]
            if dimension and other == network:
                found.append(dataclasses.replace(record, head=name, anomaly=dimension))
        return sorted(found, key=lambda record: record.anomaly == "100-D")

    return choose


def of_rows(task: str, metric: str, protocol: str = "") -> Choice:
    """Return what chooses a metric of a recipe's rows, under one protocol if the task has several; the row's name for the head."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task=task, metric=metric):
            row, rest = _parts(record)
            if rest.startswith(protocol):
                seen = rest.removeprefix(protocol).removeprefix(", ")
                name = row.partition(", ")[0] + (f" ({seen})" if protocol and seen else "")
                found.append(dataclasses.replace(record, head=name, protocol=None))
        return found

    return choose


def across(task: str, *metrics: str) -> Choice:
    """Return what chooses these metrics of a recipe's rows, with a column for each of the protocols, or of the metrics."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task=task, metric=metrics):
            row, rest = _parts(record)
            column = rest or record.metric
            found.append(dataclasses.replace(record, head=row.partition(", ")[0], anomaly=column, protocol=None))
        return found

    return choose


def of_groups(groups: Mapping[str, str], choice: Choice) -> Choice:
    """Return what chooses so among the rows of some groups, which follow their loss: "gm, fast-32" is of the group fast-32.

    Args:
        groups: their names, each with what is added to the name of a loss there, to tell its rows apart.
        choice: what chooses among their records.

    Raises:
        ValueError: what is added has a comma, which ends a loss's name.
    """
    if cut := [added for added in groups.values() if "," in added]:
        raise ValueError(f"a row's name ends at its first comma, so none may be added to it: {cut[0]!r}")

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for group, added in groups.items():
            for record in records:
                loss, _, of = _parts(record)[0].partition(", ")
                if of == group:
                    renamed = (record.protocol or "").replace(loss, loss + added, 1)
                    found.append(dataclasses.replace(record, protocol=renamed))
        return choice(found)

    return choose


def in_protocols(words: str, choice: Choice) -> Choice:
    """Return what chooses so among the records whose protocol ends in these words."""
    return lambda records: choice([r for r in records if (r.protocol or "").endswith(words)])


def by_epsilon(choice: Choice) -> Choice:
    """Return what chooses so among the records of attacks, in the order of their ε."""

    def epsilon(record: Record) -> float:
        found = re.search(r"epsilon=([0-9.e-]+)", record.anomaly or "")
        return float(found[1]) if found else 0.0

    return lambda records: sorted(choice(records), key=epsilon)


def by_score(metric: str) -> Choice:
    """Return what chooses a metric of pairs, with a column for each score and its components: "cosine, PCA 64"."""

    def choose(records: Sequence[Record]) -> list[Record]:
        found = []
        for record in select(records, task="verification", metric=metric):
            row, rest = _parts(record)
            _, score = pairs_and_score(rest)
            found.append(dataclasses.replace(record, head=row.partition(", ")[0], anomaly=score, protocol=None))
        return found

    return choose


_SCORE = re.compile(r"(?P<pairs>.+), (?P<score>[^, ]+, (?:no PCA|PCA \d+))(?:,.*)?")


def pairs_and_score(how: str) -> tuple[str, str]:
    """Return of what the task "verification" says in its protocol the file of pairs, and the score with its components.

    >>> pairs_and_score("lfw/pairs.txt, fold 1, cosine, PCA 64, mirrored, threshold from lfw/pairs.txt, fold 2")
    ('lfw/pairs.txt, fold 1', 'cosine, PCA 64')
    """
    found = _SCORE.fullmatch(how)
    return (found["pairs"], found["score"]) if found else (how, "")


def _parts(record: Record) -> tuple[str, str]:
    """Return the row of a recipe that a record is of, such as "gm, fast-32", and what else its protocol says."""
    row, _, rest = (record.protocol or "").partition("; ")
    return row, rest
