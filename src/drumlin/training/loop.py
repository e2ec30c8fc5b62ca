"""The training loop: one for every head, backbone and data set."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from drumlin import _io
from drumlin._history import WITHIN
from drumlin.data import ImageFiles, Images, holdout_split, train_batches
from drumlin.features import evaluation_mode
from drumlin.heads import HeadOutput
from drumlin.model import Classifier, InputSpec, resolve_device
from drumlin.settings.backbones import LibrarySettings
from drumlin.settings.data import AugmentSettings, default_augment
from drumlin.settings.run import RunSettings
from drumlin.training.checkpoints import CHECKPOINT, Progress, load_checkpoint, remove_partial, save_checkpoint
from drumlin.training.claims import check_claim, claim
from drumlin.training.creation import balanced_weights, create
from drumlin.training.distributed import Processes, processes
from drumlin.training.divergence import check_finite, diverged, warn_if_lost
from drumlin.training.following import Follower, Probe
from drumlin.training.lookahead import Lookahead
from drumlin.training.optimizers import create_optimizer
from drumlin.training.progress import Reporter, Silent
from drumlin.training.resolution import check_augmentation, resolve, steps_per_epoch
from drumlin.training.runs import Run, Split, load_for
from drumlin.training.schedules import rate_factor
from drumlin.training.totals import Totals


def train(
    settings: RunSettings,
    out: Path | str,
    *,
    resume: bool = False,
    reporter: Reporter | None = None,
    probe: Probe | None = None,
    probe_every: int | None = None,
) -> Classifier:
    """Train a classifier and leave everything about it in the folder `out`; return it in evaluation mode.

    Same settings, seed, machine and number of processes: same weights, bit for bit, also if the training was killed at any
    moment and resumed. Started by torchrun, the processes share every batch.

    Args:
        settings: what to train on what, and how.
        out: the run's folder; made if need be.
        resume: go on from the last whole checkpoint in `out`, or begin if there is none.
        reporter: hears of steps and epochs; None is silence.
        probe: what `training.jsonl` says besides after every epoch, null where not finite; it must not draw from torch's generators.
        probe_every: steps after which, counted from the beginning, the hold-out and the probe are also measured within an epoch; a
            resumed training goes on with what it is told then.

    Raises:
        ValueError: a setting that does not fit; `probe_every` below 1; data that is not there; `out` holds a run already
            (without `resume`) or one of other settings (with it), or another process trains in it.
        TrainingError: the loss or the model turned NaN or infinite.
    """
    out = Path(out)
    if probe_every is not None and probe_every < 1:
        raise ValueError(f"the steps between two measurements must be 1 or more, not {probe_every}")
    device = resolve_device(settings.training.device)
    with processes(device) as group, _deterministic(device):
        if not group.first:  # the first process downloads and decodes, the others find it done
            group.wait()
        images = load_for(settings.data, "train", _library_inputs(settings))
        uncut = _uncut(images, settings)
        if group.first:
            group.wait()
        keep, hold = _split(images, settings)
        settings = resolve(settings, len(keep), device)
        check_claim(out, settings, images.fingerprint, resume=resume, processes=group.world)
        if Run(out).finished:
            return Classifier.load(out).to(device)
        check_augmentation(settings.data.augment or AugmentSettings(), images.size, settings.training.epochs)
        chosen = images.subset(keep)
        classifier = create(settings, chosen).to(device)
        if settings.training.class_weights == "balanced":
            classifier.head.set_class_weights(balanced_weights(chosen.labels, len(images.class_names)).to(device))
        # Made before the folder is claimed: settings that do not fit leave no half-begun run behind.
        given = chosen if uncut is images else uncut.subset(keep)
        shown = reporter or Silent()
        follower = Follower(classifier, chosen, images.subset(hold), probe, probe_every)
        loop = _Loop(settings, out, classifier, chosen, given, follower, group, shown)
        group.wait()
        split = Split(keep, hold, images.fingerprint)
        own = partial(claim, out, settings, split, resume=resume, processes=group.world)
        with group.entered_by_first(own, device):
            loop.run()
            group.wait()
        return classifier.eval()


def _library_inputs(settings: RunSettings) -> InputSpec | None:
    """Return the images that a library's model takes: always colour, so that its weights and layers stay as they are."""
    if not isinstance(settings.backbone, LibrarySettings):
        return None
    size = settings.data.image_size
    return InputSpec(channels=3, size=None if size is None else (size, size), mean=(0.0,) * 3, std=(1.0,) * 3)


def _uncut(images: Images | ImageFiles, settings: RunSettings) -> Images | ImageFiles:
    """Return the images that training windows are cut out of: `images` themselves, or larger ones with `augment.crop`."""
    data = settings.data
    crop = (data.augment or default_augment(data.name)).crop
    if not crop:
        return images
    size = (images.size[0] + crop, images.size[1] + crop)
    inputs = InputSpec(channels=images.channels, size=size, mean=(0.0,) * images.channels, std=(1.0,) * images.channels)
    return load_for(data, "train", inputs)


def _split(images: Images | ImageFiles, settings: RunSettings) -> tuple[Tensor, Tensor]:
    """Return the samples to train on and to hold out; every class must be among the former."""
    data = settings.data
    keep, hold = holdout_split(images.labels, data.holdout, data.holdout_max, settings.seed)
    counts = torch.bincount(images.labels[keep], minlength=len(images.class_names))
    if bool((counts == 0).any()):
        empty = [name for name, count in zip(images.class_names, counts.tolist(), strict=True) if count == 0]
        raise ValueError(
            f"data {images.name!r} has no training image of {', '.join(empty)}: add some, or drop the class"
        )
    return keep, hold


@contextmanager
def _deterministic(device: torch.device) -> Iterator[None]:
    """Ask torch for deterministic algorithms inside the block; leave its settings and random generators as they were.

    With them torch fills every new tensor with NaN, so that an operator which reads what nobody wrote is found out. None of ours does
    (same weights without), and writing to memory twice costs `fast-32` about a twentieth of its step: it is left out.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    memory: Any = torch.utils.deterministic  # a module with a property, which type checkers do not know
    filling = memory.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=True)
    memory.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        memory.fill_uninitialized_memory = filling
        torch.backends.cudnn.benchmark = benchmark


class _Loop:
    """The state of a training that is under way."""

    def __init__(
        self,
        settings: RunSettings,
        out: Path,
        classifier: Classifier,
        images: Images | ImageFiles,
        uncut: Images | ImageFiles,
        follower: Follower,
        group: Processes,
        reporter: Reporter,
    ) -> None:
        self.settings, self.out, self.classifier, self.group = settings, out, classifier, group
        self.images, self.uncut, self.follower = images, uncut, follower
        self.reporter = reporter if group.first else Silent()
        self.device = classifier.device
        self.optimizer = create_optimizer(classifier, settings.training.optimizer)
        self.lookahead = Lookahead(classifier, settings.training.lookahead)
        self.identity = _io.hash_json(settings.to_json())
        epochs, batch_size = settings.training.epochs, settings.training.batch_size
        assert epochs is not None, "resolve settings before"
        assert batch_size is not None, "resolve settings before"
        self.epochs, self.batch_size = epochs, batch_size
        self.steps = steps_per_epoch(len(images), batch_size)
        self.chance = 1 - float(torch.bincount(images.labels).max()) / len(images)
        self._batches(0)  # refuses a batch that does not fit; nothing is drawn yet
        self.model: nn.Module = DistributedDataParallel(classifier) if group.world > 1 else classifier

    def run(self) -> None:
        folder = self.out / CHECKPOINT
        if self.group.first:
            remove_partial(folder)
        progress = load_checkpoint(folder, self.classifier, self.optimizer, self.identity)
        history = list(progress.history)
        self._log(history)  # a kill between checkpoint and log left the log behind
        self.reporter.start(self.epochs, self.steps, progress.epoch)
        try:
            for epoch in range(progress.epoch, self.epochs):
                history.append(self._epoch(epoch))
                if self.group.first:
                    done = Progress(epoch + 1, history)
                    save_checkpoint(folder, self.classifier, self.optimizer, done, self.identity)
                self._log(history)
                self.reporter.epoch(history[-1])
                if self.group.first:
                    warn_if_lost(history, self.chance, self.epochs, self.classifier.head)
        finally:
            self.reporter.close()
        self._finish_head()
        if self.group.first:
            self.classifier.save(self.out)

    @torch.no_grad()
    def _finish_head(self) -> None:
        """Let the head fit what it can only know at the end; most read no feature, and none is computed for them."""
        with evaluation_mode(self.classifier):
            batches = ((x.to(self.device), y.to(self.device)) for x, y in self.images.batches(500))
            self.classifier.head.finish((self.classifier.features(x), y) for x, y in batches)

    def _log(self, history: list[dict[str, Any]]) -> None:
        if self.group.first and history:
            lines = "".join(json.dumps(record, allow_nan=False) + "\n" for record in history)
            _io.write_bytes(self.out / "training.jsonl", lines.encode())

    def _batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        return train_batches(
            self.uncut,
            self.batch_size,
            augment=(self.settings.data.augment or AugmentSettings()).in_epoch(epoch, of=self.epochs),
            generator_seed=self.settings.seed,
            epoch=epoch,
            rank=self.group.rank,
            world=self.group.world,
        )

    def _epoch(self, epoch: int) -> dict[str, Any]:
        settings, training = self.settings, self.settings.training
        # Dropout draws from the global generator: seeded by the epoch, so that a resumed training draws the same.
        torch.manual_seed((settings.seed * 1_000_003 + epoch) * 4_093 + self.group.rank)
        self.model.train()
        self.lookahead.begin()
        begin, aside, seen, totals = time.perf_counter(), 0.0, 0, Totals(self.device)
        within: list[dict[str, Any]] = []
        for index, (x, y) in enumerate(self._batches(epoch)):
            self._set_rate(epoch * self.steps + index)
            output: HeadOutput = self.model(x.to(self.device, non_blocking=True), y.to(self.device, non_blocking=True))
            if not math.isfinite(output.loss.item()):
                raise diverged(output, epoch, index, self.classifier.head)
            self.optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(output.loss)
            if training.grad_clip is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), training.grad_clip)
            self.optimizer.step()
            done = epoch * self.steps + index + 1
            self.lookahead.after(index + 1, done / (self.steps * self.epochs), last=index + 1 == self.steps)
            totals.add(output, y.to(self.device))
            seen += len(y) * self.group.world
            self.reporter.step()
            if self.group.first and index + 1 < self.steps and self.follower.due(done):
                paused = time.perf_counter()
                within.append({"steps": done} | self.follower.measure())
                aside += time.perf_counter() - paused
        seconds = time.perf_counter() - begin - aside
        check_finite(self.classifier, epoch)
        means = totals.means(self.group.sum)
        paused = time.perf_counter()
        held = self.follower.holdout_error() if self.group.first else None
        evaluated = time.perf_counter() - paused
        return {
            "epoch": epoch + 1,
            "steps": (epoch + 1) * self.steps,
            "lr": self.optimizer.param_groups[0]["lr"],
            "loss": sum(value for name, value in means.items() if name != "error"),
            "terms": {name: value for name, value in means.items() if name != "error"},
            "train_error": means["error"],
            "holdout_error": held,
            "images_per_second": seen / seconds,
            "seconds": seconds,
            "seconds_with_evaluation": seconds + evaluated,
            **(self.follower.probed() if self.group.first else {}),
            **({WITHIN: within} if within else {}),
        }

    def _set_rate(self, step: int) -> None:
        factor = rate_factor(self.settings.training.schedule, step, self.steps * self.epochs)
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak_lr"] * factor
