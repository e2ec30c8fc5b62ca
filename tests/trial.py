"""Records of the experiment that tests of recipes share."""

from drumlin.results import Record


def record(protocol: str, *, task: str = "classification", metric: str = "error", seed: int = 0, value=0.5, **others):
    facts = {"recipe": "trial", "scale": "smoke", "data": "digits", "split": "test", "unit": "fraction"}
    facts |= {"run": f"{protocol}{seed}"} | others
    return Record(task=task, metric=metric, value=value, protocol=protocol, seed=seed, **facts)


def tuning(name: str, candidate: str, value: float | None, **others):
    facts = {"task": "tuning", "metric": "holdout-error", "split": "holdout"} | others
    return record(f"{name}; {candidate}", value=value, **facts)
