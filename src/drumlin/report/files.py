"""The page's figures as PNG and SVG files, for papers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from drumlin import _io
from drumlin.report import palette
from drumlin.report.contents import RunContents
from drumlin.report.figures.confusion import Confusion
from drumlin.report.figures.distances import Distances
from drumlin.report.figures.feature_map import MapFigure
from drumlin.report.figures.histogram import ScoreHistogram
from drumlin.report.figures.roc import RocCurves
from drumlin.report.figures.tradeoff import TradeOff
from drumlin.report.figures.training import CenterLossCurve, ErrorCurves, LossCurves
from drumlin.report.palette import Style
from drumlin.report.summary import main_detector

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

_POINTS = 20_000
_DPI = 200


class Drawable(Protocol):
    """What can be a file."""

    @property
    def name(self) -> str:
        """Of the file."""
        ...

    @property
    def width(self) -> float:
        """In inches."""
        ...

    @property
    def height(self) -> float:
        """In inches."""
        ...

    def save_to(self, canvas: Canvas) -> None:
        """Draw onto an empty matplotlib figure."""
        ...


def write_figures(runs: Sequence[RunContents], folder: Path) -> list[Path]:
    """Write the figures of every run into a folder, each as PNG and as SVG, and return their paths.

    A figure's file has its name; where there are several runs, the run's before it. Of the scores those of the calibrated detector
    are drawn.

    Raises:
        ValueError: the folder cannot be written.
    """
    styles = palette.set_styles(runs)
    written = []
    for run in runs:
        for figure in _figures(run, styles):
            stem = figure.name if len(runs) == 1 else f"{run.name.replace('/', '-')}-{figure.name}"
            written += write_figure(figure, folder, stem)
    return written


def write_figure(figure: Drawable, folder: Path, stem: str | None = None) -> list[Path]:
    """Write a figure into a folder as PNG and as SVG, called `stem` (by default as the figure is), and return both paths.

    Raises:
        ValueError: the folder cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure as Canvas

    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # nothing of the day or of chance: the same run gives the same files
        with rc_context({"svg.hashsalt": "drumlin", "font.size": 9, "axes.formatter.useoffset": False}):
            canvas = Canvas(figsize=(figure.width, figure.height), layout="constrained")
            figure.save_to(canvas)
            for kind, metadata in (("png", {"Software": None}), ("svg", {"Date": None})):
                path = folder / f"{stem or figure.name}.{kind}"
                with _io.atomic_path(path) as temporary:
                    canvas.savefig(temporary, format=kind, dpi=_DPI, metadata=metadata, bbox_inches="tight")
                written.append(path)
    except OSError as error:
        raise ValueError(f"figures cannot be written into {folder}: {error.strerror or error}") from None
    return written


def _figures(run: RunContents, styles: dict[str, Style]) -> Iterator[Drawable]:
    detector = main_detector(run)
    scored = [] if detector is None else [ScoreHistogram.of(run, detector, styles), RocCurves.of(run, detector, styles)]
    found = [
        MapFigure.of(run, styles, most=_POINTS),
        *scored,
        TradeOff.of(run, styles),
        Confusion.of(run),
        Distances.of(run),
        LossCurves.of(run),
        ErrorCurves.of(run),
        CenterLossCurve.of(run),
    ]
    yield from (figure for figure in found if figure is not None)
