"""A run's folder: what it was set to, which samples it held out, and the model that came out of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.data import ImageFiles, Images, load
from drumlin.model import Classifier, InputSpec, resolve_device
from drumlin.settings.backbones import backbone_settings
from drumlin.settings.data import AugmentSettings, DataSettings
from drumlin.settings.heads import head_settings
from drumlin.settings.run import OptimizerSettings, RunSettings, ScheduleSettings, TrainingSettings

CONFIG_SCHEMA = 1
_CONFIG = "config.json"
_SPLIT = "split.safetensors"


@dataclass(frozen=True)
class Split:
    """Which samples of the training split were trained on and which held out, and the fingerprint of that split."""

    train: Tensor
    holdout: Tensor
    fingerprint: str


def write_config(folder: Path, settings: RunSettings) -> None:
    """Write `config.json`."""
    _io.write_json(folder / _CONFIG, _io.sealed({"schema": CONFIG_SCHEMA, **settings.to_json()}))


def read_config(folder: Path) -> RunSettings:
    """Return the settings in `config.json`.

    Raises:
        ValueError: none there, or another program's; of another version; a setting unknown to this version.
    """
    path = folder / _CONFIG
    if not path.is_file():
        raise ValueError(f"{folder} is not a run (no {_CONFIG}): give the folder that `drumlin train --out` wrote")
    values = _io.read_json(path)
    _io.check_version(values, path, CONFIG_SCHEMA)
    _io.check_seal(values, path)
    try:
        return _settings(values)
    except KeyError as error:
        raise ValueError(f"{path} does not describe a run of this version: {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} does not describe a run of this version: {error}") from None


def _settings(values: dict[str, Any]) -> RunSettings:
    data, training = dict(values["data"]), dict(values["training"])
    augment = data.pop("augment")
    optimizer = OptimizerSettings(**training.pop("optimizer"))
    schedule = dict(training.pop("schedule"))
    schedule["milestones"] = tuple(schedule["milestones"])
    return RunSettings(
        data=DataSettings(**data, augment=None if augment is None else AugmentSettings(**augment)),
        head=head_settings(**values["head"]),
        backbone=backbone_settings(**values["backbone"]),
        training=TrainingSettings(**training, optimizer=optimizer, schedule=ScheduleSettings(**schedule)),
        seed=values["seed"],
    )


def write_split(folder: Path, split: Split) -> None:
    """Write which samples were held out."""
    write_tensors(folder / _SPLIT, {"train": split.train, "holdout": split.holdout}, {"fingerprint": split.fingerprint})


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and where on this machine its data lies and its model computes.

    Attributes:
        folder: that `train` wrote.
        root: folder of the data sets; None for DRUMLIN_DATA, else the user's cache folder.
        download: download a data set that is not there.
        device: of the model: auto, cpu, cuda, cuda:1, mps, ...

    Raises:
        ValueError: (on use) not a run, unfinished, damaged, of another version, or its data has changed; no such device.
    """

    folder: Path
    root: str | None = None
    download: bool = False
    device: str = "cpu"

    @cached_property
    def settings(self) -> RunSettings:
        """What the run was set to, with the data root of this machine."""
        settings = read_config(self.folder)
        data = dataclasses.replace(settings.data, root=self.root, download=self.download)
        return dataclasses.replace(settings, data=data)

    @property
    def identity(self) -> str:
        """Hash of the configuration: equal for runs that must end in the same model."""
        return self.settings.identity

    @property
    def finished(self) -> bool:
        """Whether the training came to its end."""
        return (self.folder / "model.json").is_file()

    @cached_property
    def classifier(self) -> Classifier:
        """The trained model, on the run's device, in evaluation mode."""
        self.require_finished()
        device = resolve_device(self.device)
        return Classifier.load(self.folder).to(device)

    def require_finished(self) -> None:
        """Raise a ValueError, which says how to go on, if the training was begun and has not come to its end."""
        if (self.folder / _CONFIG).is_file() and not self.finished:
            raise ValueError(
                f"the training in {self.folder} has not finished: go on with `drumlin train --out {self.folder} --resume`"
            )

    @cached_property
    def split(self) -> Split:
        """Which samples were trained on and which held out."""
        try:
            tensors, about = read_tensors(self.folder / _SPLIT)
        except FileNotFoundError:
            raise ValueError(f"{self.folder} does not say which samples it held out (no {_SPLIT})") from None
        return Split(tensors["train"], tensors["holdout"], about["fingerprint"])

    @property
    def history(self) -> list[dict[str, Any]]:
        """What `training.jsonl` says of each epoch; a damaged one is a ValueError with the line's number."""
        return _io.read_json_lines(self.folder / "training.jsonl")

    @property
    def features(self) -> Path:
        """Folder of the cached features."""
        return self.folder / "features"

    @cached_property
    def _training_split(self) -> Images | ImageFiles:
        images = load_for(self.settings.data, "train", self.classifier.inputs)
        if images.fingerprint != self.split.fingerprint:
            raise ValueError(
                f"the data {images.name!r} is not what this run was trained on (its content has changed): the held-out"
                " samples cannot be told any more"
            )
        return images

    def train_images(self) -> Images | ImageFiles:
        """Return the samples that were trained on."""
        return self._training_split.subset(self.split.train)

    def holdout_images(self) -> Images | ImageFiles:
        """Return the samples that were held out: for calibration and the choice of settings, and for nothing else.

        Raises:
            ValueError: none were.
        """
        if len(self.split.holdout) == 0:
            raise ValueError(f"{self.folder} held no samples out (--holdout 0): there is nothing to calibrate on")
        return self._training_split.subset(self.split.holdout)

    def test_images(self) -> Images | ImageFiles:
        """Return the test split; nothing may be fitted on it."""
        return self._test_split

    @cached_property
    def _test_split(self) -> Images | ImageFiles:
        return load_for(self.settings.data, "test", self.classifier.inputs)


def load_for(data: DataSettings, split: str, inputs: InputSpec | None = None) -> Images | ImageFiles:
    """Return a split of `data`, brought to a model's channels and size if `inputs` are given."""
    return load(
        data.name,
        split,
        root=data.root,
        download=data.download,
        image_size=data.image_size if inputs is None else inputs.size,
        channels=None if inputs is None else inputs.channels,
    )


def normalisation(images: Images | ImageFiles, sample: int = 10_000) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel over at most `sample` images spread evenly over the set.

    A channel that never varies gets standard deviation 1.
    """
    chosen = torch.linspace(0, len(images) - 1, min(sample, len(images))).round().long()
    total = torch.zeros(images.channels, dtype=torch.float64)
    squares, count = total.clone(), 0
    for x, _ in images.subset(chosen).batches(500):
        values = x.double()
        total += values.sum((0, 2, 3))
        squares += values.square().sum((0, 2, 3))
        count += x.numel() // images.channels
    mean = total / count
    std = (squares / count - mean.square()).clamp_min(0).sqrt()
    std[std < 1e-6] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())
