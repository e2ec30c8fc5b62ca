"""How usual the hidden layers look for the class that the classifier says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture
from torch import Tensor

from drumlin.detectors._classes import MAX_FEATURES, class_counts, score_by_class, subsample
from drumlin.detectors._gaussians import pooled_covariance
from drumlin.detectors._hidden import checked_layers, layers_to_fit, request_of, side_by_side
from drumlin.detectors.base import Detector
from drumlin.features import FeatureRequest, FeatureSet

MixtureCovariance = Literal["diagonal", "full"]

_MAX_FEATURES = MAX_FEATURES
_LEAST_VARIANCE = 1e-3
"""Added to every variance of a mixture, of the variance of all training features: a unit that is silent for one class alone would
otherwise decide everything."""
_SCIKIT_LEARN = {"diagonal": "diag", "full": "full"}
_DIAGONAL: dict[str, Callable[[Tensor], Tensor]] = {
    "diagonal": lambda root: root,
    "full": lambda root: root.diagonal(dim1=-2, dim2=-1),
}
_WHITEN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "diagonal": lambda differences, root: differences * root[:, None],
    "full": torch.bmm,
}


class IDefender(Detector):
    """Negative log-likelihood of the hidden features under a Gaussian mixture of the class: s = −log Σ_m π_ym N(h; μ_ym, Σ_ym).

    h are the outputs of the hidden layers side by side, each unit scaled to variance 1, reduced to their principal components if
    there are more than `dimensions`, and scaled together to a mean variance of 1; a unit that never varied in training is left out.
    The mixtures are scikit-learn's, of the training features by label (at most 50,000 in all, a seeded, stratified subsample), with
    1e-3 added to variances.

    Args:
        components: of each class's mixture, at least 1.
        covariance: "diagonal" or "full", of each component.
        dimensions: the most that h may have, at least 1.
        layers: hidden layers to look at; None for all that the training features have.
        seed: of the subsample and of the mixtures' start.

    Attributes:
        layers_, widths_: the hidden layers in use, and their widths.
        centre_, projection_: c (W,) and P (W, d), h = (hidden − c) P.
        means_: μ (K, M, d).
        roots_: R with Σ⁻¹ = R Rᵀ, (K, M, d) or (K, M, d, d).
        log_weights_: log π − ½ log|Σ| − (d/2) log 2π (K, M).

    Raises:
        ValueError: an argument out of range; when fitting: a class of fewer than two features or than components, an unknown layer,
            hidden features that do not vary.

    >>> h, y = torch.tensor([[-1.0], [1.0], [-1.0], [1.0]]), torch.tensor([0, 0, 1, 1])
    >>> features = FeatureSet(torch.zeros(4, 1), torch.zeros(4, 2), y, {"layer": h})
    >>> IDefender(components=1).fit(features).score(features)  # one deviation off: log √2π + ½
    tensor([1.4189, 1.4189, 1.4189, 1.4189])

    Source: Zheng & Hong, Robust Detection of Adversarial Attacks by Modeling the Intrinsic Properties of Deep Neural Networks, NeurIPS
    2018. The number of components, scaling, principal components and the least variance are our choice.
    """

    name: ClassVar[str] = "i-defender"
    requires: ClassVar[frozenset[str]] = frozenset({"hidden"})
    needs_labels: ClassVar[bool] = True

    layers_: list[str]
    widths_: list[int]
    centre_: Float[Tensor, " w"]
    projection_: Float[Tensor, "w d"]
    means_: Float[Tensor, "k m d"]
    roots_: Float[Tensor, "k m d *d"]
    log_weights_: Float[Tensor, "k m"]

    def __init__(
        self,
        *,
        components: int = 3,
        covariance: MixtureCovariance = "diagonal",
        dimensions: int = 64,
        layers: tuple[str, ...] | None = None,
        seed: int = 0,
    ) -> None:
        for name, value in (("components", components), ("dimensions", dimensions)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if covariance not in get_args(MixtureCovariance):
            raise ValueError(f"covariance must be one of {', '.join(get_args(MixtureCovariance))}, got {covariance!r}")
        self.components = components
        self.covariance = covariance
        self.dimensions = dimensions
        self.layers = checked_layers(layers)
        self.seed = seed

    @property
    def request(self) -> FeatureRequest:
        """The hidden layers in use; before fitting those asked for.

        Raises:
            ValueError: not fitted, and all layers asked for.
        """
        return request_of(getattr(self, "layers_", self.layers), self.name)

    def _fit(self, features: FeatureSet, anomalies: FeatureSet | None, normals: FeatureSet | None) -> None:
        assert features.y is not None
        y = features.y.to(features.z.device)
        num_classes = features.logits.shape[1]
        class_counts(y, num_classes, self.name, at_least=max(2, self.components))
        layers = layers_to_fit(self.layers, features)
        kept = subsample(y, _MAX_FEATURES, self.seed)
        hidden = side_by_side(features.subset(kept), layers, None, self.name).detach()
        centre, projection = principal_components(hidden, self.dimensions)
        counts = class_counts(y[kept], num_classes, self.name, at_least=max(2, self.components))
        h = ((hidden.double() - centre) @ projection)[y[kept].argsort(stable=True)].cpu().numpy()
        mixtures = [self._mixture(group) for group in np.split(h, counts.cumsum(0)[:-1].tolist())]
        means, roots, weights = (
            torch.from_numpy(np.stack([getattr(mixture, part) for mixture in mixtures])).to(hidden.device)
            for part in ("means_", "precisions_cholesky_", "weights_")
        )
        half_log_dets = _DIAGONAL[self.covariance](roots).log().sum(-1)
        log_weights = weights.log() + half_log_dets - 0.5 * h.shape[1] * math.log(2 * math.pi)
        self.layers_, self.widths_ = layers, [features.hidden[name].shape[1] for name in layers]
        self.centre_, self.projection_ = centre.to(hidden), projection.to(hidden)
        self.means_, self.roots_, self.log_weights_ = means.to(hidden), roots.to(hidden), log_weights.to(hidden)

    def _mixture(self, h: NDArray[np.float64]) -> GaussianMixture:
        mixture = GaussianMixture(  # type: ignore[no-untyped-call]
            self.components,
            covariance_type=_SCIKIT_LEARN[self.covariance],
            reg_covar=_LEAST_VARIANCE,
            max_iter=300,
            random_state=self.seed,
        )
        mixture.fit(h)  # type: ignore[no-untyped-call]
        return mixture

    def _score(self, features: FeatureSet, y: Tensor) -> Tensor:
        hidden = side_by_side(features, self.layers_, self.widths_, self.name)
        h = (hidden - self.centre_.to(hidden)) @ self.projection_.to(hidden)
        means, roots, log_weights = (part.to(h) for part in (self.means_, self.roots_, self.log_weights_))

        def score(h: Tensor, k: int) -> Tensor:
            white = _WHITEN[self.covariance](h - means[k][:, None], roots[k])  # (M, N, d)
            return -(log_weights[k][:, None] - 0.5 * white.square().sum(2)).logsumexp(0)

        return score_by_class(h, y, score)


def principal_components(x: Float[Tensor, "n w"], dimensions: int) -> tuple[Tensor, Tensor]:
    """Return centre c (W,) and projection P (W, d) such that (x − c) P has at most `dimensions` columns, of mean variance 1.

    Each column of x is scaled to variance 1, or 0 if it never varies; if there are too many, their principal components are taken.

    Raises:
        ValueError: no column varies.

    >>> centre, projection = principal_components(torch.tensor([[0.0, 5.0], [4.0, 5.0]]), 2)
    >>> centre.tolist(), projection.diagonal()  # 1/2 for a deviation of 2, and √2 for one column that varies of two
    ([2.0, 5.0], tensor([0.7071, 0.0000], dtype=torch.float64))
    """
    centre = x.double().mean(0)
    covariance = pooled_covariance(x, torch.zeros(len(x), dtype=torch.int64, device=x.device), centre[None])
    deviations = covariance.diagonal().sqrt()
    if not bool((deviations > 0).any()):
        raise ValueError("the hidden features of the training samples do not vary at all")
    scale = torch.where(deviations > 0, 1 / deviations, 0.0)
    projection = scale.diag()
    if len(scale) > dimensions:
        _, directions = torch.linalg.eigh(scale[:, None] * covariance * scale)  # ascending
        projection = scale[:, None] * directions[:, -dimensions:]
    variance = torch.einsum("wd,wv,vd->", projection, covariance, projection) / projection.shape[1]
    return centre, projection / variance.sqrt()
