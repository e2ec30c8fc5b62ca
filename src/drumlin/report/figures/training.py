"""How the training went: loss by term, and errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from drumlin._history import moments
from drumlin.report.contents import RunContents
from drumlin.report.figures.base import MPL_DASHES, Figure, axis, escaped, in_percent, legend_below, plain
from drumlin.report.palette import Token, light
from drumlin.report.text import listing, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LOOKS = (
    ("ink", "solid"),
    ("test", "dash"),
    ("set-1", "dot"),
    ("set-3", "dashdot"),
    ("set-4", "longdash"),
    ("set-2", "dash"),
)

Points = tuple[tuple[float, float | None], ...]
"""(epochs, value) of what was measured, None where it was not a finite number; epochs are fractions within an epoch."""


@dataclass(frozen=True, eq=False)
class _Curves(Figure):
    """Values by epoch.

    Attributes:
        series: name → its points.
    """

    series: Mapping[str, Points]
    title: ClassVar[str]
    style: ClassVar[dict[str, Any]]

    @property
    def alt(self) -> str:
        """See `Figure`."""
        ends = [f"{name} {number(points[-1][1])}" for name, points in self.series.items()]
        return f"{self.title} by epoch; at the end {listing(ends)}."

    @property
    def _values(self) -> list[float]:
        return [value for points in self.series.values() for _, value in points if value is not None]

    @property
    def _epochs(self) -> float:
        return max((epoch for points in self.series.values() for epoch, _ in points), default=0)

    def _logarithmic(self) -> bool:
        return bool(self._values) and min(self._values) > 0

    def _scale(self) -> dict[str, str]:
        """Return the kind of the vertical axis; over more than a decade only 1, 2 and 5 are labelled, for all would overlap."""
        if not self._logarithmic():
            return {}
        return {"type": "log"} | ({"dtick": "D2"} if max(self._values) > 10 * min(self._values) else {})

    def traces(self) -> list[dict[str, Any]]:
        """See `Figure`."""
        return [
            {
                "type": "scatter",
                "mode": "lines+markers" if len(points) < 3 else "lines",
                "name": escaped(name),
                "x": [epoch for epoch, _ in points],
                "y": [value for _, value in points],
                "line": {"color": Token(colour), "dash": dash, "width": 2},
                "hovertemplate": f"epoch %{{x:.4~g}}: %{{y:{'.2~%' if 'tickformat' in self.style else '.4~g'}}}",
            }
            for (name, points), (colour, dash) in zip(self.series.items(), _looks(len(self.series)), strict=True)
        ]

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        whole = {"tickformat": "d"} | ({"dtick": 1} if self._epochs <= 10 else {})
        return {"xaxis": axis("epoch", **whole), "yaxis": axis(self.title, **self._scale(), **self.style)}

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        for (name, points), (colour, dash) in zip(self.series.items(), _looks(len(self.series)), strict=True):
            y = [math.nan if value is None else value for _, value in points]
            style: dict[str, Any] = {
                "color": light(colour),
                "ls": MPL_DASHES[dash],
                "marker": "." if len(points) < 3 else "",
            }
            axes.plot([epoch for epoch, _ in points], y, label=plain(name), **style)
        axes.set(xlabel="epoch", ylabel=self.title, yscale="log" if self._logarithmic() else "linear")
        if "tickformat" in self.style:
            in_percent(axes.yaxis)
        legend_below(axes, len(self.series))


class LossCurves(_Curves):
    """The loss and its terms, weights included."""

    name: ClassVar[str] = "loss"
    title: ClassVar[str] = "loss (nats an image)"
    style: ClassVar[dict[str, Any]] = {}

    @classmethod
    def of(cls, run: RunContents) -> LossCurves | None:
        """Return the curves; None without a training log."""
        terms = dict.fromkeys(name for epoch in run.epochs for name in epoch.get("terms", {}))
        series = {"loss": _points(run.epochs, lambda epoch: epoch, "loss")} | {
            name: _points(run.epochs, lambda epoch: epoch.get("terms", {}), name) for name in terms
        }
        if len(terms) == 1:  # the term is the loss
            del series["loss"]
        series = {name: points for name, points in series.items() if points}
        return cls(series) if series else None

    @property
    def caption(self) -> str:
        """See `Figure`."""
        return (
            "The loss of the training images, and the terms it is the sum of. A term that rises at first is one whose weight is "
            "warmed up."
            if len(self.series) > 1
            else "The loss of the training images."
        )


class ErrorCurves(_Curves):
    """Share of images that are taken for another class, in training and on the hold-out."""

    name: ClassVar[str] = "errors"
    title: ClassVar[str] = "errors"
    style: ClassVar[dict[str, Any]] = {"tickformat": "~%"}

    @classmethod
    def of(cls, run: RunContents) -> ErrorCurves | None:
        """Return the curves; None without a training log that has errors."""
        names = {"training images": "train_error", "hold-out": "holdout_error"}
        every = {name: _points(run.epochs, lambda moment: moment, key) for name, key in names.items()}
        every["hold-out, by 5 nearest neighbours"] = _points(run.epochs, _probed, "neighbour_error")
        series = {name: points for name, points in every.items() if any(value is not None for _, value in points)}
        return cls(series) if series else None

    @property
    def caption(self) -> str:
        """See `Figure`."""
        return (
            "Share of images that are taken for another class. Training images are counted as they are met, augmented, "
            "margin and all; a hold-out far above them means that the network learns by heart."
        )


class CenterLossCurve(_Curves):
    """How far held-out features lie from their class's mean, where a training was asked to say so."""

    name: ClassVar[str] = "center-loss"
    title: ClassVar[str] = "center loss"
    style: ClassVar[dict[str, Any]] = {}

    @classmethod
    def of(cls, run: RunContents) -> CenterLossCurve | None:
        """Return the curve; None where no epoch has one."""
        points = _points(run.epochs, _probed, "center_loss")
        return cls({"hold-out": points}) if any(value is not None for _, value in points) else None

    @property
    def caption(self) -> str:
        """See `Figure`."""
        return (
            "Half the squared distance of held-out features to the mean of their class's training features, whatever the loss that is "
            "trained with. Features that only grow raise it, too."
        )


def _points(
    epochs: Sequence[Mapping[str, Any]], among: Callable[[Mapping[str, Any]], Mapping[str, Any]], key: str
) -> Points:
    """Return when on the way a number was measured, and it; moments that do not have it are left out."""
    return tuple(
        (epoch["epoch"] * (moment["steps"] / epoch["steps"] if moment is not epoch else 1), _number(among(moment)[key]))
        for epoch in epochs
        for moment in moments([epoch])
        if key in among(moment)
    )


def _probed(moment: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = moment.get("probe", {})
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _looks(n: int) -> list[tuple[str, str]]:
    return [_LOOKS[i % len(_LOOKS)] for i in range(n)]
