"""drumlin reproduce."""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from drumlin._io import unknown
from drumlin.cli._parsing import parse, progress
from drumlin.cli._tables import percent, table
from drumlin.results import Record, select

if TYPE_CHECKING:
    from drumlin.recipes.experiment import Experiment, Ledger, TimeLeft
    from drumlin.recipes.variants import Variant


@dataclass(kw_only=True)
class Reproduce:
    """Reproduce a table or figure of a paper: train what is not recorded yet, measure it, print it beside the published values.

    Started twice, two processes share the work.
    """

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A recipe; --list shows them."""
    scale: Literal["cpu", "paper", "smoke"] = "cpu"
    """How much to spend: what two processor cores can do, as in the paper, or seconds to see it run."""
    out: Path | None = None
    """Folder of the runs; by default runs/NAME-SCALE."""
    results: Path | None = None
    """File of records, added to; by default results.jsonl in that folder. What is recorded there is not done again, and processes that
    are given the same one share the work: each takes a training that no other is at."""
    tuned: tuple[Path, ...] = ()
    """Files of records of other recipes: what was tuned there with the very same settings is not tuned again."""
    figures: Path | None = None
    """Folder for the figures of a recipe that draws any; by default figures in the folder of the runs."""
    only: str | None = None
    """Only the rows whose name has this in it, e.g. "gm, 100-D"."""
    list: bool = False
    """Only list the recipes, or what is done and left of one."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""
    download: bool = False
    """Download a data set that is not there."""
    quiet: bool = False
    """No progress of the single trainings."""


def run(words: Sequence[str]) -> int:
    """Do what is left of a recipe, and print its table."""
    flags = parse(Reproduce, words, name="reproduce")
    from drumlin.recipes import RECIPES, about, recipe
    from drumlin.recipes.experiment import Ledger

    if flags.name is None:
        if not flags.list:
            raise ValueError(f"no recipe: name one of {', '.join(RECIPES)}, or see them with --list")
        print(table(["recipe", "what it reproduces"], [[name, about(name)] for name in RECIPES]))
        return 0
    if flags.only is not None and flags.figures is not None:
        raise ValueError("figures are drawn of a whole recipe: leave --only out, or --figures")
    experiment = _chosen(recipe(flags.name, flags.scale), flags.only)
    out = flags.out or Path("runs") / f"{flags.name}-{flags.scale}"
    ledger = Ledger(experiment, flags.results or out / "results.jsonl")
    if flags.figures is not None and experiment.finish is None:
        raise ValueError(f"recipe {flags.name} draws no figures: leave --figures out")
    written: list[Path] = []
    if not flags.list:
        if experiment.variants:
            _do(ledger, out, flags)
        if experiment.finish is not None:
            written = experiment.finish(ledger, out, flags.figures or out / "figures")
    print(_rows(ledger) if experiment.variants else f"recipe {flags.name} trains nothing, it only draws")
    measured = [record for variant in experiment.variants for record in ledger.measurements(variant)]
    if experiment.show is not None and measured:
        print(f"\n{experiment.show(measured)}")
    left = sum(map(ledger.left, experiment.variants))
    if left:
        print(f"\n{left} trainings left{_pace(ledger.time_left())}")
    if flags.scale == "paper":
        _show_choices(experiment)
    for path in written:
        print(path)
    return 0


def _show_choices(experiment: Experiment) -> None:
    from drumlin.recipes.choices import choices

    found = choices(experiment)
    if found:
        print("\nWhat the papers leave open, or is not as they have it:")
    for sentence in found:
        print(f"- {sentence}")


def _chosen(experiment: Experiment, only: str | None) -> Experiment:
    """Return the part of an experiment that was asked for; what draws the figures needs the whole."""
    if only is None:
        return experiment
    if not experiment.variants:
        raise ValueError(f"recipe {experiment.name} has no rows to choose among: leave --only out")
    rows = tuple(variant for variant in experiment.variants if only in variant.name)
    if not rows:
        raise unknown("row", only, [variant.name for variant in experiment.variants])
    return dataclasses.replace(experiment, variants=rows, finish=None)


def _do(ledger: Ledger, out: Path, flags: Reproduce) -> None:
    from drumlin.recipes.adoption import adopt
    from drumlin.recipes.experiment import perform
    from drumlin.recipes.sharing import pending
    from drumlin.training import reporter

    _check_writable(ledger.path)
    if found := adopt(ledger, flags.tuned):
        progress(f"{len(found)} settings were tuned elsewhere")
    for step in pending(ledger, lambda: progress("what is left is being done by other processes: waiting for them")):
        left = sum(map(ledger.left, ledger.experiment.variants))
        what = "to choose settings" if step.tuning else "to measure"
        progress(
            f"{step.variant.name}, {step.candidate}, seed {step.seed}, {what}    {left} trainings left{_pace(ledger.time_left())}"
        )
        records = perform(
            step, ledger, out, root=flags.data_root, download=flags.download, reporter=reporter(quiet=flags.quiet)
        )
        progress("  ".join(f"{r.metric} {percent(r.value)}" for r in records if r.metric.endswith("error")))


def _check_writable(path: Path) -> None:
    """Find now, and not after the first training, that records cannot be written; leave no file behind that was not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or path.is_symlink():
        path.open("ab").close()
        return
    try:
        with tempfile.TemporaryFile(prefix=".drumlin-", dir=path.parent):
            pass
    except OSError as error:
        raise ValueError(
            f"the records {path} cannot be written ({error.strerror}): give another file with --results"
        ) from None


def _pace(left: TimeLeft) -> str:
    """Return what is known of the time that is left, to follow the number of trainings.

    >>> from drumlin.recipes.experiment import TimeLeft
    >>> _pace(TimeLeft(8000.0, 0)), _pace(TimeLeft(60.0, 2)), _pace(TimeLeft(0.0, 2))
    (', about 2 h 13 min of training', ', about 1 min of training and 2 of a kind not timed yet', '')
    """
    if not left.seconds:
        return ""
    others = f" and {left.untimed} of a kind not timed yet" if left.untimed else ""
    return f", about {_duration(left.seconds)} of training{others}"


def _duration(seconds: float) -> str:
    """Return a duration for people.

    >>> _duration(59), _duration(8000)
    ('1 min', '2 h 13 min')
    """
    hours, minutes = divmod(max(1, round(seconds / 60)), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _rows(ledger: Ledger) -> str:
    """Return the table of an experiment: a line a variant, what is not measured yet left open."""
    rows = []
    for variant in ledger.experiment.variants:
        errors = select(ledger.measurements(variant), metric="error", task="classification")
        known = variant.published
        rows.append(
            [
                variant.name,
                _settings(variant, ledger.chosen(variant)),
                f"{len(errors)}/{len(variant.seeds)}",
                _mean(errors),
                "–" if known is None else f"{percent(known.value)} ({known.source})",
            ]
        )
    return table(["row", "settings", "seeds", "test error", "published"], rows)


def _settings(variant: Variant, chosen: str | None) -> str:
    """Return what was chosen of a variant's candidates, and whether it lies at an end of the learning rates that were tried."""
    if chosen is None:
        return "–"
    rates = {name: settings.training.optimizer.lr for name, settings in variant.candidates.items()}
    if len(set(rates.values())) < 3:
        return chosen
    ends = {min(rates.values()): "smallest", max(rates.values()): "largest"}
    return f"{chosen} ({ends[rates[chosen]]} tried)" if rates[chosen] in ends else chosen


def _mean(records: Sequence[Record]) -> str:
    """Return mean ± standard deviation in percent; – where there is none, or one has no number."""
    values = [record.value for record in records if record.value is not None]
    if not values or len(values) < len(records):
        return "–"
    spread = f" ± {percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return percent(statistics.mean(values)) + spread
