"""Calibrated refusal: an answer, or none where the input is stranger than the false-alarm rate allows."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Float64, Int
from safetensors.torch import load_file
from torch import Tensor

from drumlin import _io
from drumlin._tensors import hash_tensors
from drumlin.detectors import Detector, load_detector
from drumlin.detectors.artifact import artifact_files, read_artifact, write_artifact
from drumlin.features import FeatureRequest, FeatureSet, evaluation_mode, feature_set
from drumlin.metrics.conformal import p_values
from drumlin.model import Classifier, read_description, resolve_device

_REMEDY = "calibrate again: drumlin calibrate RUN --false-alarm 0.01"


def scores_needed(false_alarm: float) -> int:
    """Return the least number of calibration scores with which anything can be refused: n ≥ ⌈1/a⌉ − 1.

    Raises:
        ValueError: a false-alarm rate outside (0, 1).

    >>> scores_needed(0.01), scores_needed(0.3)
    (99, 3)
    """
    if not 0 < false_alarm < 1:
        raise ValueError(f"false_alarm must lie strictly between 0 and 1, got {false_alarm}")
    n = math.ceil(1 / false_alarm) - 1
    # 1/a is rounded: settle by the very comparison that refusal makes.
    while n > 1 and 1 / n <= false_alarm:
        n -= 1
    while 1 / (n + 1) > false_alarm:
        n += 1
    return n


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What calibration scores came from, so that they are never used with anything else."""

    detector: str
    """Name of the detector."""
    detector_hash: str
    """SHA-256 of its `detector.json`."""
    model: str
    """SHA-256 of the content of `model.json`, which has that of the weights."""
    holdout: str
    """SHA-256 of the indices of the hold-out samples that were scored."""


class Conformal:
    """Split conformal refusal: p = (1 + #{s_i ≥ s})/(n + 1) of a score s among n held-out scores s_i; refused if p ≤ a.

    If held-out and new samples are exchangeable, a new one is refused with probability at most a. Given one set of held-out scores,
    the false alarms among m new samples are beta-binomial: BetaBinomial(m, k, n + 1 − k), k = ⌊a(n + 1)⌋.

    Args:
        scores: held-out scores (n,), larger = more anomalous; +∞ is a score like any other.
        false_alarm: a in (0, 1).
        origin: what the scores came from, where that is known.

    Attributes:
        scores: in ascending order, in float64.

    Raises:
        ValueError: a outside (0, 1), NaN among the scores, or fewer than ⌈1/a⌉ − 1 of them.

    >>> conformal = Conformal(torch.tensor([1.0, 2.0, 3.0]), 0.25)
    >>> conformal.p_value(torch.tensor([0.0, 3.0, 4.0])).tolist(), conformal.accepts(torch.tensor([3.0, 4.0])).tolist()
    ([1.0, 0.5, 0.25], [True, False])

    Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World, 2005; Bates et al., Testing for Outliers with Conformal
    p-values, Annals of Statistics 2023, eq. 2.
    """

    def __init__(self, scores: Float[Tensor, " n"], false_alarm: float, *, origin: Origin | None = None) -> None:
        needed = scores_needed(false_alarm)
        if scores.ndim != 1 or not scores.is_floating_point():
            raise ValueError(
                f"calibration scores must be floating point of shape (n,), got {scores.dtype} of shape {tuple(scores.shape)}"
            )
        if bool(scores.isnan().any()):
            raise ValueError(f"calibration scores have NaN in {int(scores.isnan().sum())} of {len(scores)} places")
        if len(scores) < needed:
            raise ValueError(
                f"a false-alarm rate of {false_alarm} needs at least {needed} held-out scores, got {len(scores)}:"
                " hold out more samples, or allow more false alarms"
            )
        self.scores: Float64[Tensor, " n"] = scores.detach().cpu().double().sort().values
        self.false_alarm = false_alarm
        self.origin = origin

    def p_value(self, scores: Float[Tensor, " m"]) -> Float64[Tensor, " m"]:
        """Return p (m,), in [1/(n+1), 1]: small for what is stranger than the held-out samples. NaN counts as strangest."""
        return torch.from_numpy(p_values(self.scores.numpy(), scores.detach().cpu().double().numpy()))

    def accepts(self, scores: Float[Tensor, " m"]) -> Bool[Tensor, " m"]:
        """Return whether each is accepted (m,): p > a."""
        return self.p_value(scores) > self.false_alarm

    @property
    def threshold(self) -> float:
        """The largest score that is accepted: one of the held-out ones."""
        return float(self.scores[self.accepts(self.scores)].max())

    def save(self, folder: Path | str) -> None:
        """Write `calibration.safetensors` and `calibration.json` into `folder`."""
        origin = None if self.origin is None else dataclasses.asdict(self.origin)
        description = {"false_alarm": self.false_alarm, "origin": origin}
        write_artifact(folder, "calibration", {"scores": self.scores}, description)

    @classmethod
    def load(cls, folder: Path | str) -> Conformal:
        """Return what `save` wrote into `folder`. Loading never runs code.

        Raises:
            ValueError: a file is missing, damaged or of another version.
        """
        description, tensors = read_artifact(folder, "calibration", _REMEDY)
        origin = None if description["origin"] is None else Origin(**description["origin"])
        return cls(tensors["scores"], description["false_alarm"], origin=origin)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a predictor says of N images, on the CPU.

    Attributes:
        label: (N,) the most probable class.
        names: N names of it.
        probability: (N,) its probability p(k|z).
        score: (N,) anomaly score, larger = more anomalous; None without a detector.
        p_value: (N,) share of images of known classes that are as strange as this one; None before calibration.
        accepted: (N,) False where the answer should not be trusted; None before calibration.
    """

    label: Int[Tensor, " n"]
    names: tuple[str, ...]
    probability: Float[Tensor, " n"]
    score: Float[Tensor, " n"] | None
    p_value: Float64[Tensor, " n"] | None
    accepted: Bool[Tensor, " n"] | None


class Predictor:
    """A classifier that can refuse.

    Args:
        classifier: images → class and probability.
        detector: fitted to this classifier's training features; None until calibrated.
        conformal: calibrated with this detector; None until calibrated.

    Raises:
        ValueError: a calibration without its detector.

    >>> from drumlin.model import Classifier
    >>> classifier = Classifier.wrap(torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 2)), "1", channels=1)
    >>> prediction = Predictor(classifier).predict(torch.zeros(3, 1, 2, 2))
    >>> prediction.probability.shape, prediction.accepted
    (torch.Size([3]), None)
    """

    def __init__(
        self, classifier: Classifier, detector: Detector | None = None, conformal: Conformal | None = None
    ) -> None:
        if conformal is not None and detector is None:
            raise ValueError("detector is None: a calibration can only be used with the detector it was made with")
        self.classifier = classifier
        self.detector = detector
        self.conformal = conformal

    def require_calibrated(self) -> None:
        """Raise a ValueError, which says what to run, if nothing can be refused yet."""
        if self.conformal is None:
            raise ValueError(
                "the model is not calibrated, so it cannot refuse: run `drumlin calibrate RUN --false-alarm 0.01`"
            )

    @torch.no_grad()
    def predict(self, images: Float[Tensor, "n c h w"], *, batch_size: int = 500) -> Prediction:
        """Return class, probability, anomaly score, p-value and acceptance of images.

        Args:
            images: (N, C, H, W) in [0, 1], of the classifier's channels and size; N may be 0.
            batch_size: images at once.

        Raises:
            ValueError: images of another type, shape or range.
        """
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if images.is_floating_point() and not bool(((images >= 0) & (images <= 1)).all()):
            raise ValueError(
                f"images must lie in [0, 1], got values from {float(images.min())} to {float(images.max())}"
            )
        device = self.classifier.device
        with evaluation_mode(self.classifier):
            parts = [self._predict(batch.to(device)) for batch in torch.split(images, batch_size)]
        label, probability = (torch.cat(column) for column in zip(*((p[0], p[1]) for p in parts), strict=True))
        names = tuple(self.classifier.class_names[k] for k in label.tolist())
        scores = [score for _, _, score in parts if score is not None]
        score = torch.cat(scores) if scores else None
        if score is None or self.conformal is None:
            return Prediction(label, names, probability, score, None, None)
        p_value = self.conformal.p_value(score)
        return Prediction(label, names, probability, score, p_value, self.conformal.accepts(score))

    def _predict(self, batch: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        wanted = FeatureRequest() if self.detector is None else self.detector.request
        features = feature_set(self.classifier, batch, hidden=wanted.hidden, draws=wanted.draws)
        probability, label = features.logits.softmax(1).max(1)
        score = None if self.detector is None else self.detector.score(features).cpu()
        return label.cpu(), probability.cpu(), score

    def save(self, run: Path | str, *, holdout: Int[Tensor, " m"]) -> None:
        """Write detector and calibration beside the model in the folder `run`, for `load`.

        Args:
            run: the folder this classifier was saved in.
            holdout: indices of the samples it was calibrated on.

        Raises:
            ValueError: not calibrated; or the folder holds another model.
        """
        self.require_calibrated()
        assert self.detector is not None
        assert self.conformal is not None
        model = read_description(run)["content"]
        stored, state = load_file(Path(run) / "model.safetensors"), self.classifier.state_dict()
        if stored.keys() != state.keys() or not all(torch.equal(stored[name], state[name].cpu()) for name in stored):
            raise ValueError(f"{run} holds another model than the one that was calibrated")
        self.detector.save(run)
        origin = Origin(
            detector=self.detector.name,
            detector_hash=_io.hash_file(artifact_files(run, "detector")[1]),
            model=model,
            holdout=hash_tensors(holdout),
        )
        Conformal(self.conformal.scores, self.conformal.false_alarm, origin=origin).save(run)


def calibrate(
    classifier: Classifier, detector: Detector, holdout_features: FeatureSet, false_alarm: float
) -> Conformal:
    """Return the refusal rule that raises false alarms on a share `false_alarm` of inputs like the held-out ones.

    Args:
        classifier: that made the features.
        detector: fitted to its training features.
        holdout_features: of samples that neither classifier nor detector were fitted to.
        false_alarm: a in (0, 1).

    Raises:
        ValueError: too few held-out samples, with the number needed; or a detector of another classifier.
    """
    if detector.head_ is not None and detector.head_ is not classifier.head:
        raise ValueError(f"detector {detector.name!r} was fitted with the head of another classifier: fit it again")
    return Conformal(detector.score(holdout_features), false_alarm)


def load(run: Path | str, *, into: Classifier | None = None, device: str = "cpu") -> Predictor:
    """Return the predictor in the folder `run`: the model, and detector and calibration if it was calibrated.

    Args:
        run: what `drumlin train --out` wrote.
        into: for wrapped or hand-made models: an equal classifier, see `Classifier.load`.
        device: for the model to compute on: auto, cpu, cuda, cuda:1, mps, ...

    Raises:
        ValueError: no model there; no such device; a file is missing, damaged or of another version; or a calibration of another
            model or detector.
    """
    run = Path(run)
    classifier = Classifier.load(run, into=into).to(resolve_device(device))
    files = [*artifact_files(run, "detector"), *artifact_files(run, "calibration")]
    if not any(file.exists() for file in files):
        return Predictor(classifier)
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise ValueError(f"{run}: the calibration is not whole, {', '.join(missing)} missing; {_REMEDY}")
    conformal = Conformal.load(run)
    origin = conformal.origin
    if origin is None or origin.model != read_description(run)["content"]:
        raise ValueError(f"{run}: the calibration belongs to another model than model.safetensors; {_REMEDY}")
    detector = load_detector(run, classifier.head)
    if origin.detector_hash != _io.hash_file(artifact_files(run, "detector")[1]):
        raise ValueError(f"{run}: the calibration belongs to another detector than detector.json; {_REMEDY}")
    return Predictor(classifier, detector, conformal)
