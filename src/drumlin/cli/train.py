"""drumlin train."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from drumlin.cli._parsing import parse, progress, take
from drumlin.settings.backbones import backbone_settings, default_backbone
from drumlin.settings.data import AugmentSettings, DataSettings, default_augment
from drumlin.settings.heads import head_settings
from drumlin.settings.run import RunSettings, TrainingSettings, default_training

if TYPE_CHECKING:
    from drumlin.training import Probe

_NO_SETTINGS = {
    *("--out", "--resume", "--quiet", "--report", "--no-report", "--curves", "--no-curves"),
    *("--curves-every", "--data-root", "--download"),
}
"""Flags that change nothing of what the training ends in."""


@dataclass(kw_only=True)
class _Flags:
    out: Path
    """Folder of the run; made anew."""
    data: str = "digits"
    """NAME, NAME:CLASSES (digits:0-7) or folder:PATH."""
    data_root: str | None = None
    """Folder of the data sets; by default DRUMLIN_DATA, else the user's cache folder."""
    download: bool = False
    """Download the data set if it is not there."""
    holdout: float = 0.1
    """Share of the training images set aside for calibration, stratified."""
    holdout_max: int = 5000
    """The most images to set aside."""
    image_size: int | None = None
    """Side in pixels that images are brought to."""
    seed: int = 0
    """Of weights, order, augmentation and hold-out."""
    resume: bool = False
    """Go on where the training in OUT was interrupted; settings must be the same, or not given at all."""
    quiet: bool = False
    """No progress."""
    curves: bool = False
    """After every epoch, also measure held-out images: their error by the 5 nearest training features, and the center loss."""
    curves_every: int | None = None
    """As --curves, and the same also after every so many steps."""
    report: bool = True
    """When trained, measure the run as `drumlin evaluate` does, and write its page, OUT/report.html."""


def _flags(data: str, head: str, backbone: str) -> type[Any]:
    """Return the dataclass of all flags that there are with this data set, head and backbone."""
    import tyro

    flat = tyro.conf.arg(name="")
    augment, network = default_augment(data), backbone_settings(backbone)
    fields = [
        ("training", Annotated[TrainingSettings, flat], field(default=default_training(data))),
        ("augment", AugmentSettings, field(default=augment)),
        ("head", type(head_settings(head)), field(default=head_settings(head))),
        ("backbone", type(network), field(default=network)),
    ]
    made = make_dataclass("Train", fields, bases=(_Flags,), kw_only=True)
    made.__doc__ = f"Train a classifier with --head {head} on --backbone {backbone}; other ones have other flags."
    return made


def run(words: Sequence[str]) -> int:
    """Train, measure, write the page, and say where the run is."""
    from drumlin.training import first_process, read_config, reporter, train

    data, _ = take(words, "--data", "digits")
    head, rest = take(words, "--head", "gm")
    backbone, rest = take(rest, "--backbone", default_backbone(data))
    flags = parse(_flags(data, head, backbone), rest, name="train", fixed=f"with --head {head} --backbone {backbone}")
    given = {word.partition("=")[0].replace("_", "-") for word in words if word.startswith("--")}
    if flags.resume and given <= _NO_SETTINGS:
        settings = read_config(flags.out)
        where = dataclasses.replace(settings.data, root=flags.data_root, download=flags.download)
        settings = dataclasses.replace(settings, data=where)
    else:
        settings = RunSettings(
            data=DataSettings(
                name=flags.data,
                root=flags.data_root,
                download=flags.download,
                holdout=flags.holdout,
                holdout_max=flags.holdout_max,
                image_size=flags.image_size,
                augment=flags.augment,
            ),
            head=flags.head,
            backbone=flags.backbone,
            training=flags.training,
            seed=flags.seed,
        )
    every = flags.curves_every
    probe = _nearness() if flags.curves or every is not None else None
    shown = reporter(quiet=flags.quiet)
    train(settings, flags.out, resume=flags.resume, reporter=shown, probe=probe, probe_every=every)
    if not first_process():
        return 0
    say = (lambda text: None) if flags.quiet else progress
    following = f"drumlin calibrate {flags.out} --false-alarm 0.01"
    if not flags.report:
        say(f"trained: {flags.out}    next: drumlin evaluate {flags.out}; {following}")
        return 0
    say(f"trained: {flags.out}")
    page = _page(flags)
    if page is not None:
        say(f"page: {page}    next: {following}")
    return 0


def _nearness() -> Probe:
    from drumlin.tasks.curves import nearness

    return nearness


def _page(flags: Any) -> Path | None:
    """Measure the finished run and write its page; what goes wrong is told, and takes nothing from the training."""
    try:
        _measure(flags)
        from drumlin.report import write_report

        return write_report([flags.out])
    except Exception as error:  # whatever it is, the training is finished
        expected = isinstance(error, ValueError | ImportError | OSError)
        what = " ".join((str(error) if expected else f"{type(error).__name__}: {error}").split())
        progress(f"warning: {flags.out} is trained, but its page could not be made: {what}")
        return None


def _measure(flags: Any) -> None:
    from drumlin.tasks import Subject
    from drumlin.tasks.evaluation import evaluation
    from drumlin.tasks.feature_map import TRAINING, feature_map, known_sets
    from drumlin.training import Run

    subject = Subject(Run(flags.out, root=flags.data_root, download=flags.download, device=flags.training.device))
    try:
        for name, result in evaluation(subject):
            result.store(flags.out, name)
    except ValueError as error:
        progress(f"warning: {flags.out} is trained, but not measured on test images: {' '.join(str(error).split())}")
        feature_map(subject, known_sets(subject, TRAINING)).store(flags.out, "map")
