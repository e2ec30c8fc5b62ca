"""Classifier = normalisation + backbone + head: images in, logits or loss out; precision, saving and loading."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.backbones import create_backbone
from drumlin.backbones.wrapped import FeatureExtractor, WrappedBackbone
from drumlin.data.adaptation import RULE
from drumlin.heads import Head, HeadOutput, SoftmaxHead, create_head
from drumlin.model.description import SCHEMA, read_description
from drumlin.model.inputs import InputSpec
from drumlin.model.precision import precision_context
from drumlin.settings.backbones import BackboneSettings, backbone_settings
from drumlin.settings.heads import HeadSettings, head_settings


class Classifier(nn.Module):
    """Images (N, C, H, W) in [0, 1] → logits, or loss; the model owns its normalisation.

    Args:
        backbone: normalised images → features (N, D); see `FeatureExtractor`.
        head: features → logits and loss.
        class_names: K names.
        inputs: what images it takes.
        precision: of the backbone, "float32" or "bfloat16"; from the features on everything is float32.
        settings: the settings that backbone and head were made of, if they were; without them a saved model can only be
            loaded into an equal one.

    Raises:
        ValueError: the number of class names is not the head's number of classes, or an unknown precision.

    >>> from drumlin.settings.backbones import backbone_settings
    >>> from drumlin.settings.heads import head_settings
    >>> inputs = InputSpec(channels=1, size=(8, 8), mean=(0.5,), std=(0.5,))
    >>> classifier = Classifier.create(backbone_settings("digits-cnn"), head_settings("gm", warmup_steps=0), ["no", "yes"], inputs)
    >>> classifier(torch.zeros(3, 1, 8, 8)).shape
    torch.Size([3, 2])
    """

    head: Head
    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        head: Head,
        class_names: Sequence[str],
        inputs: InputSpec,
        *,
        precision: str = "float32",
        settings: tuple[BackboneSettings, HeadSettings] | None = None,
    ) -> None:
        super().__init__()
        if len(class_names) != head.num_classes:
            raise ValueError(f"{len(class_names)} class names for a head of {head.num_classes} classes")
        if precision not in ("float32", "bfloat16"):
            raise ValueError(f"precision must be float32 or bfloat16, got {precision!r}")
        self.backbone = backbone.to(memory_format=torch.channels_last)
        self.head = head
        self.class_names = tuple(class_names)
        self.inputs = inputs
        self.precision = precision
        self.settings = settings
        self.register_buffer("mean", torch.tensor(inputs.mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(inputs.std).view(1, -1, 1, 1), persistent=False)

    @classmethod
    def create(
        cls,
        backbone: BackboneSettings,
        head: HeadSettings,
        class_names: Sequence[str],
        inputs: InputSpec,
        *,
        precision: str = "float32",
    ) -> Classifier:
        """Return a new classifier from settings; its size is needed. Weights are drawn from torch's global generator.

        A pretrained backbone brings the normalisation that its weights expect; it replaces that of `inputs`.

        Raises:
            ValueError: a setting that does not fit, or no input size.
        """
        if inputs.size is None:
            raise ValueError("inputs.size is needed to build a backbone, got None")
        network = create_backbone(backbone, channels=inputs.channels, size=inputs.size)
        if network.trunk.normalisation is not None:
            mean, std = network.trunk.normalisation
            inputs = dataclasses.replace(inputs, mean=mean, std=std)
        built = create_head(head, backbone.feature_dim, len(class_names))
        return cls(network, built, class_names, inputs, precision=precision, settings=(backbone, head))

    @classmethod
    def wrap(
        cls,
        module: nn.Module,
        head: str = "fc",
        *,
        class_names: Sequence[str] | None = None,
        channels: int = 3,
        size: tuple[int, int] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        precision: str = "float32",
    ) -> Classifier:
        """Return a classifier around a model that is already trained, without retraining.

        The linear layer becomes a `SoftmaxHead` with its weights, what comes before it the backbone. `module` itself is
        copied and left alone.

        Args:
            module: normalised images → logits, its last step a linear layer.
            head: dotted name of that layer, e.g. "fc", "classifier.6", "heads.head".
            class_names: K names; "0".."K−1" by default.
            channels, size: of the images it takes; size None is any. With a size it is checked that nothing follows that layer.
            mean, std: the normalisation that `module` expects of images in [0, 1]; none by default.
            precision: "float32" or "bfloat16".

        Raises:
            ValueError: no such layer, or it is not an `nn.Linear`; the message names the linear layers there are. Or it is not
                the last step.

        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 4), nn.ReLU(), nn.Linear(4, 2))
        >>> wrapped, x = Classifier.wrap(model, "3"), torch.rand(5, 3, 2, 2)
        >>> torch.equal(wrapped(x), model(x))
        True
        """
        linears = [name for name, layer in module.named_modules() if isinstance(layer, nn.Linear)]
        if head not in linears:
            raise _io.unknown("linear layer", head, linears)
        backbone = copy.deepcopy(module)
        linear = cast(nn.Linear, backbone.get_submodule(head))
        parent, _, leaf = head.rpartition(".")
        setattr(backbone.get_submodule(parent), leaf, nn.Identity())
        softmax = SoftmaxHead(linear.in_features, linear.out_features, bias=linear.bias is not None)
        softmax.linear = linear
        inputs = InputSpec(
            channels=channels,
            size=size,
            mean=tuple(mean) if mean else (0.0,) * channels,
            std=tuple(std) if std else (1.0,) * channels,
        )
        names = class_names or [str(k) for k in range(linear.out_features)]
        wrapped = cls(WrappedBackbone(backbone), softmax, names, inputs, precision=precision)
        wrapped = wrapped.to(linear.weight.device).eval()
        if size is not None:
            _check_wrapped(wrapped, module)
        return wrapped

    def features(self, x: Float[Tensor, "n c h w"]) -> Float[Tensor, "n d"]:
        """Return the features z (N, D) of images in [0, 1], in float32.

        Raises:
            ValueError: images of another type, shape, number of channels or size.
        """
        with precision_context(self.precision, x.device):
            z: Tensor = self.backbone(self.normalise(x))
        return z.float() if z.dtype in (torch.bfloat16, torch.float16) else z

    def features_with_hidden(
        self, x: Float[Tensor, "n c h w"], names: Sequence[str]
    ) -> tuple[Float[Tensor, "n d"], dict[str, Float[Tensor, "n _"]]]:
        """Return the features z (N, D) and, by name, outputs (N, D_layer) of layers of the backbone, from one pass."""
        extractor = cast(FeatureExtractor, self.backbone)
        with precision_context(self.precision, x.device):
            z, hidden = extractor.forward_with_hidden(self.normalise(x), names)
        return z.float() if z.dtype in (torch.bfloat16, torch.float16) else z, hidden

    def forward(self, x: Float[Tensor, "n c h w"], y: Int[Tensor, " n"] | None = None) -> HeadOutput | Tensor:
        """Return `HeadOutput` if labels are given, else logits (N, K).

        Normalisation, backbone, head and loss are one call, so that DistributedDataParallel synchronises the head too.
        """
        return self.head(self.features(x), y)  # type: ignore[no-any-return]

    @property
    def device(self) -> torch.device:
        """The device that the model is on, and that images must be on; `to` moves it."""
        return self.mean.device

    def hidden_names(self) -> tuple[str, ...]:
        """Return the names of the layers that hidden features can be taken from."""
        return cast(FeatureExtractor, self.backbone).hidden_names()

    @property
    def has_dropout(self) -> bool:
        """Whether repeated draws in training mode differ, as uncertainty by dropout needs."""
        return cast(FeatureExtractor, self.backbone).has_dropout

    def normalise(self, x: Tensor) -> Tensor:
        """Return images in [0, 1] as the backbone gets them; `forward` does it.

        Raises:
            ValueError: not floating point, or of another shape than (N, C, H, W) of `inputs`.
        """
        spec = self.inputs
        if not x.is_floating_point():
            raise ValueError(f"images must be floating point in [0, 1], got {x.dtype}: divide 8-bit values by 255")
        if x.ndim != 4 or x.shape[1] != spec.channels or (spec.size is not None and tuple(x.shape[2:]) != spec.size):
            size = "any size" if spec.size is None else f"{spec.size[0]}x{spec.size[1]}"
            raise ValueError(f"images must have shape (N, {spec.channels}, H, W), {size}, got {tuple(x.shape)}")
        return ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def save(self, folder: Path | str) -> None:
        """Write `model.safetensors` and `model.json` into `folder`; each whole or not at all, the weights' hash in the latter."""
        folder = Path(folder)
        weights = folder / "model.safetensors"
        write_tensors(weights, self.state_dict())
        parts = {}
        if self.settings is not None:
            backbone, head = self.settings
            parts["backbone"] = {"name": backbone.name, **dataclasses.asdict(backbone)}
            parts["head"] = {"name": head.name, **dataclasses.asdict(head)}
        description = {
            "schema": SCHEMA,
            "weights": _io.hash_file(weights),
            "class_names": list(self.class_names),
            "inputs": dataclasses.asdict(self.inputs) | {"resize": RULE},
            "precision": self.precision,
            **parts,
        }
        _io.write_json(folder / "model.json", _io.sealed(description))

    @classmethod
    def load(cls, folder: Path | str, *, into: Classifier | None = None) -> Classifier:
        """Return the classifier saved in `folder`, on the CPU and in evaluation mode. Loading never runs code.

        Args:
            folder: where `save` wrote.
            into: for a wrapped or hand-made model: an equal classifier that the weights are loaded into.

        Raises:
            ValueError: nothing saved there; another version; a damaged file; weights that do not fit; `into` missing.
        """
        folder = Path(folder)
        description = read_description(folder)
        weights = folder / "model.safetensors"
        if not weights.is_file():
            raise ValueError(f"{weights} is missing: the model was not saved whole")
        if _io.hash_file(weights) != description["weights"]:
            raise ValueError(f"{weights} is damaged or not the file that model.json describes (its hash differs)")
        classifier = into if into is not None else cls._from_description(description, folder)
        tensors, _ = read_tensors(weights)
        try:
            classifier.load_state_dict(tensors)
        except RuntimeError as error:
            raise ValueError(f"{weights} does not fit the model: {error}") from None
        return classifier.eval()

    @classmethod
    def _from_description(cls, description: dict[str, Any], folder: Path) -> Classifier:
        if "backbone" not in description:
            raise ValueError(
                f"{folder}: this model was wrapped or made by hand, so its code is not known here: make an equal one and"
                " call Classifier.load(folder, into=it)"
            )
        spec = description["inputs"]
        height, width = spec["size"]
        inputs = InputSpec(
            channels=spec["channels"], size=(height, width), mean=tuple(spec["mean"]), std=tuple(spec["std"])
        )
        fields = description["backbone"]
        if "pretrained" in fields:  # the weights come from the file: nothing to download
            fields = fields | {"pretrained": False}
        backbone = backbone_settings(**fields)
        head = head_settings(**description["head"])
        return cls.create(backbone, head, description["class_names"], inputs, precision=description["precision"])


@torch.no_grad()
def _check_wrapped(wrapped: Classifier, module: nn.Module) -> None:
    """Refuse a wrapped classifier that says something else than the model: its linear layer was not the last step."""
    spec = wrapped.inputs
    assert spec.size is not None
    x = torch.rand(2, spec.channels, *spec.size, device=wrapped.mean.device)
    was_training = module.training
    expected = module.eval()((x - wrapped.mean) / wrapped.std)
    module.train(was_training)
    found = wrapped.head.logits(wrapped.features(x))
    tolerance = 0.1 if wrapped.precision == "bfloat16" else 1e-3
    if found.shape != expected.shape or not torch.allclose(found, expected.float(), atol=tolerance, rtol=tolerance):
        raise ValueError(
            "head is not the model's last step: something follows that layer, so its logits are not the model's"
        )
