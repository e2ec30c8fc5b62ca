"""Classifier + images → features and logits: with their graph for attacks, cached in files for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.modules.dropout import _DropoutNd

from drumlin import _io
from drumlin._tensors import hash_tensors, read_tensors, write_tensors
from drumlin.data import ImageFiles, Images
from drumlin.model import Classifier

_CACHE_VERSION = "1"
_HIDDEN = "hidden."


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """What a classifier makes of images; the logits come from this very z.

    Attributes:
        z: features (N, D), float32.
        logits: (N, K); their softmax is p(k|z).
        y: true labels (N,), or None where unknown.
        hidden: name of a layer → (N, D_layer).
        draws: (T, N, K) class probabilities of T passes with dropout, or None.

    >>> features = FeatureSet(torch.zeros(2, 3), torch.tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> len(features), features.prediction.tolist()
    (2, [1, 0])
    """

    z: Float[Tensor, "n d"]
    logits: Float[Tensor, "n k"]
    y: Int[Tensor, " n"] | None = None
    hidden: dict[str, Float[Tensor, "n _"]] = field(default_factory=dict)
    draws: Float[Tensor, "t n k"] | None = None

    def __len__(self) -> int:
        return self.z.shape[0]

    @property
    def prediction(self) -> Int[Tensor, " n"]:
        """The most probable class (N,)."""
        return self.logits.argmax(1)

    def to(self, device: torch.device | str) -> FeatureSet:
        """Return the samples with every tensor on `device`."""
        return FeatureSet(
            self.z.to(device),
            self.logits.to(device),
            None if self.y is None else self.y.to(device),
            {name: values.to(device) for name, values in self.hidden.items()},
            None if self.draws is None else self.draws.to(device),
        )

    def subset(self, indices: Int[Tensor, " m"]) -> FeatureSet:
        """Return the samples `indices`, in that order."""
        return FeatureSet(
            self.z[indices],
            self.logits[indices],
            None if self.y is None else self.y[indices],
            {name: values[indices] for name, values in self.hidden.items()},
            None if self.draws is None else self.draws[:, indices],
        )


@dataclass(frozen=True)
class FeatureRequest:
    """What is wanted of images beside z and logits: the arguments of `feature_set` and `extract` by these names.

    Attributes:
        hidden: layers, of `classifier.hidden_names()`.
        draws: number of passes with dropout.
    """

    hidden: tuple[str, ...] = ()
    draws: int = 0

    def __or__(self, other: FeatureRequest) -> FeatureRequest:
        """Return what serves both.

        >>> FeatureRequest(("a",)) | FeatureRequest(("b", "a"), draws=5)
        FeatureRequest(hidden=('a', 'b'), draws=5)
        """
        return FeatureRequest(tuple(dict.fromkeys((*self.hidden, *other.hidden))), max(self.draws, other.draws))


def feature_set(
    classifier: Classifier,
    x: Float[Tensor, "n c h w"],
    y: Int[Tensor, " n"] | None = None,
    hidden: Sequence[str] = (),
    draws: int = 0,
) -> FeatureSet:
    """Return the features of images, with their graph: scores of them can be differentiated by the images.

    Args:
        classifier: in the mode it is in; evaluation mode for anything but training.
        x: images in [0, 1].
        y: true labels.
        hidden: layers, of `classifier.hidden_names()`, whose outputs are wanted too.
        draws: passes with dropout alone in training mode, whose class probabilities are wanted too.

    Raises:
        ValueError: images that do not fit; an unknown layer; draws from a network without dropout.
    """
    if hidden:
        z, outputs = classifier.features_with_hidden(x, hidden)
    else:
        z, outputs = classifier.features(x), {}
    probabilities = _draw(classifier, x, draws) if draws else None
    return FeatureSet(z, classifier.head.logits(z), y, outputs, probabilities)


def _draw(classifier: Classifier, x: Tensor, draws: int) -> Tensor:
    if not classifier.has_dropout:
        raise ValueError(
            "uncertainty by dropout needs a network with dropout, this one has none (set backbone.dropout)"
        )
    with _dropout_on(classifier):
        return torch.stack([classifier.head.logits(classifier.features(x)).softmax(1) for _ in range(draws)])


@contextmanager
def _dropout_on(classifier: Classifier) -> Iterator[None]:
    """Put the dropout layers alone into training mode: batch statistics must neither be used nor change."""
    layers = [(layer, layer.training) for layer in classifier.modules() if isinstance(layer, _DropoutNd)]
    try:
        for layer, _ in layers:
            layer.training = True
        yield
    finally:
        for layer, mode in layers:
            layer.training = mode


@contextmanager
def evaluation_mode(classifier: Classifier) -> Iterator[None]:
    """Put the classifier into evaluation mode inside the block, and every module back into its own mode after it."""
    modes = [(module, module.training) for module in classifier.modules()]
    classifier.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@torch.no_grad()
def extract(
    classifier: Classifier,
    images: Images | ImageFiles,
    *,
    hidden: Sequence[str] = (),
    draws: int = 0,
    batch_size: int = 500,
    cache: Path | None = None,
) -> FeatureSet:
    """Return the features of a whole set, without graph, on the CPU; from the cache if it has them.

    The cache knows weights, images, precision and request by hash: whatever changes, the features are computed anew. A
    damaged file counts as not there.

    Args:
        classifier: is put into evaluation mode meanwhile.
        images: brought to the classifier's channels and size already (`drumlin.data.load` does it).
        hidden, draws: as in `feature_set`.
        batch_size: images at once.
        cache: folder of the cache, e.g. a run's `features/`; None for none.

    Raises:
        ValueError: an empty set, or what `feature_set` refuses.
    """
    if len(images) == 0:
        raise ValueError(f"{images.name}: no images to extract features from")
    file = None if cache is None else cache / f"{_key(classifier, images, hidden, draws)}.safetensors"
    if file is not None and (cached := _read(file)) is not None:
        return cached
    device = classifier.device
    parts = []
    with evaluation_mode(classifier):
        for x, y in images.batches(batch_size):
            parts.append(feature_set(classifier, x.to(device), y, hidden=hidden, draws=draws).to("cpu"))
    features = concatenate(parts)
    if file is not None:
        _write(file, features)
    return features


def _key(classifier: Classifier, images: Images | ImageFiles, hidden: Sequence[str], draws: int) -> str:
    state = classifier.state_dict()
    weights = hash_tensors(*state.values(), about=repr(sorted(state)))
    normalisation = hash_tensors(classifier.mean, classifier.std)
    request = _io.hash_json([_CACHE_VERSION, classifier.precision, list(hidden), draws])
    data = [images.name, images.split, images.fingerprint]
    # What no tensor holds, such as a ReLU or the floor under variances, is in the settings, else in what the modules show.
    about = repr(classifier if classifier.settings is None else classifier.settings)
    return _io.hash_json([weights, normalisation, about, data, request])[:32]


def concatenate(parts: Sequence[FeatureSet]) -> FeatureSet:
    """Return the samples of all parts one after the other; labels if every part has them, draws and hidden layers as of the first.

    >>> one = FeatureSet(torch.zeros(1, 2), torch.zeros(1, 3))
    >>> len(concatenate([one, one]))
    2
    """
    return FeatureSet(
        torch.cat([part.z for part in parts]),
        torch.cat([part.logits for part in parts]),
        None if any(part.y is None for part in parts) else torch.cat([part.y for part in parts if part.y is not None]),
        {name: torch.cat([part.hidden[name] for part in parts]) for name in parts[0].hidden},
        None if parts[0].draws is None else torch.cat([part.draws for part in parts if part.draws is not None], 1),
    )


def _write(file: Path, features: FeatureSet) -> None:
    tensors = {"z": features.z, "logits": features.logits}
    optional = {"y": features.y, "draws": features.draws}
    tensors |= {name: value for name, value in optional.items() if value is not None}
    write_tensors(file, tensors | {_HIDDEN + name: value for name, value in features.hidden.items()})


def _read(file: Path) -> FeatureSet | None:
    """Return what `_write` wrote, or None if it is not there or not whole."""
    try:
        tensors, _ = read_tensors(file)
    except (FileNotFoundError, ValueError):
        return None
    hidden = {name.removeprefix(_HIDDEN): value for name, value in tensors.items() if name.startswith(_HIDDEN)}
    return FeatureSet(tensors["z"], tensors["logits"], tensors.get("y"), hidden, tensors.get("draws"))
