"""Records of benchmarks: what is measured against what in one run, as results/benchmarks.jsonl and README's table want it."""

from __future__ import annotations

from drumlin._io import hash_json
from drumlin.results import Record
from drumlin.training.environment import environment


def benchmark_record(
    task: str, protocol: str, metric: str, value: float, *, unit: str = "ratio", n: int | None = None
) -> Record:
    """Return a record of a benchmark; a later one of the same task, protocol and metric on the same machine takes its place."""
    here = environment()
    known = {name: version for name, version in here["versions"].items() if version is not None}
    facts = {"python": here["python"], **known, "processor": here["processor"]}
    return Record(
        run=hash_json([task, protocol, facts["processor"]])[:16],
        commit=here["commit"],
        recipe=f"benchmarks/{task}.py",
        task=task,
        data="random",
        split="train",
        protocol=protocol,
        metric=metric,
        value=value,
        unit=unit,
        n=n,
        environment=facts,
    )
