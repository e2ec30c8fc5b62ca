"""How the training went: loss by term, and errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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

Series = Mapping[str, tuple[float | None, ...]]


@dataclass(frozen=True, eq=False)
class _Curves(Figure):
    """Values by epoch, None where there is none.

    Attributes:
        epochs: when; fractions where something was measured within an epoch.
        series: name → a value each.
    """

    epochs: tuple[float, ...]
    series: Series
    title: ClassVar[str]
    style: ClassVar[dict[str, Any]]

    @property
    def alt(self) -> str:
        """See `Figure`."""
        ends = [f"{name} {number(values[-1])}" for name, values in self.series.items()]
        return f"{self.title} by epoch; at the end {listing(ends)}."

    @property
    def _values(self) -> list[float]:
        return [value for series in self.series.values() for value in series if value is not None]

    @property
    def _within(self) -> bool:
        """Whether there are values between epochs, which not every series has: a line goes on over them."""
        return any(epoch != int(epoch) for epoch in self.epochs)

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
                "mode": "lines+markers" if len(self.epochs) < 3 else "lines",
                "name": escaped(name),
                "x": list(self.epochs),
                "y": list(values),
                "connectgaps": self._within,
                "line": {"color": Token(colour), "dash": dash, "width": 2},
                "hovertemplate": f"epoch %{{x:.4~g}}: %{{y:{'.2~%' if 'tickformat' in self.style else '.4~g'}}}",
            }
            for (name, values), (colour, dash) in zip(self.series.items(), _looks(len(self.series)), strict=True)
        ]

    def layout(self) -> dict[str, Any]:
        """See `Figure`."""
        whole = {"tickformat": "d"} | ({"dtick": 1} if len(self.epochs) <= 10 else {})
        return {"xaxis": axis("epoch", **whole), "yaxis": axis(self.title, **self._scale(), **self.style)}

    def draw(self, axes: Axes) -> None:
        """See `Figure`."""
        for (name, values), (colour, dash) in zip(self.series.items(), _looks(len(self.series)), strict=True):
            known = [
                (epoch, math.nan if value is None else value)
                for epoch, value in zip(self.epochs, values, strict=True)
                if not (self._within and value is None)
            ]
            axes.plot(*zip(*known, strict=True), color=light(colour), ls=MPL_DASHES[dash], label=plain(name))
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
        series = {"loss": tuple(_number(epoch.get("loss")) for epoch in run.epochs)} | {
            name: tuple(_number(epoch.get("terms", {}).get(name)) for epoch in run.epochs) for name in terms
        }
        if len(terms) == 1:  # the term is the loss
            del series["loss"]
        return cls(_epochs(run), series) if run.epochs else None

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
        times, found = _moments(run)
        every = {name: tuple(_number(moment.get(key)) for moment in found) for name, key in names.items()}
        every["hold-out, by 5 nearest neighbours"] = _probed(found, "neighbour_error")
        series = {name: values for name, values in every.items() if any(value is not None for value in values)}
        return cls(times, series) if series else None

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
        times, found = _moments(run)
        values = _probed(found, "center_loss")
        return None if all(value is None for value in values) else cls(times, {"hold-out": values})

    @property
    def caption(self) -> str:
        """See `Figure`."""
        return (
            "Half the squared distance of held-out features to the mean of their class's training features, whatever the loss that is "
            "trained with. Features that only grow raise it, too."
        )


def _epochs(run: RunContents) -> tuple[int, ...]:
    return tuple(int(epoch["epoch"]) for epoch in run.epochs)


def _moments(run: RunContents) -> tuple[tuple[float, ...], list[Mapping[str, Any]]]:
    """Return everything that was measured on the way, and after how many epochs."""
    times: list[float] = []
    for epoch in run.epochs:
        within = moments([epoch])[:-1]
        times += [epoch["epoch"] * moment["steps"] / epoch["steps"] for moment in within] + [epoch["epoch"]]
    return tuple(times), moments(run.epochs)


def _probed(found: Sequence[Mapping[str, Any]], name: str) -> tuple[float | None, ...]:
    return tuple(_number(moment.get("probe", {}).get(name)) for moment in found)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _looks(n: int) -> list[tuple[str, str]]:
    return [_LOOKS[i % len(_LOOKS)] for i in range(n)]
