"""The images that matter most: strange test images, and what slips through."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest

import numpy as np

from drumlin.report.contents import Kind, Pixels, Points, RunContents, point_p_values
from drumlin.report.html import Html, el, join
from drumlin.report.summary import main_detector
from drumlin.report.text import percent, shortened
from drumlin.report.thumbnails import picture_url

_MOST = 18


@dataclass(frozen=True, eq=False)
class Picture:
    """One image with what is said of it."""

    image: Pixels
    caption: str
    score: str
    alt: str


@dataclass(frozen=True, eq=False)
class Wall:
    """Images under one heading, with what to see in them, or why there are none."""

    title: str
    text: str
    pictures: list[Picture]


def walls(run: RunContents) -> list[Wall]:
    """Return the walls of a run: the most anomalous test images, unknown ones that passed, attacked ones that passed."""
    sets = run.map.sets if run.map else ()
    by_kind = {kind: [points for points in sets if points.kind is kind] for kind in Kind}
    calibrated = run.calibration is not None and bool(run.calibrated_scores)
    passed = "passed" if calibrated else "look least strange"
    return [
        Wall(
            "Strangest test images",
            "The test images with the highest scores. Look for wrong labels, damaged images, and kinds that training had few of.",
            _chosen(run, by_kind[Kind.TEST], strangest=True),
        ),
        Wall(
            f"Unknown images that {passed}",
            f"What it has never learnt and yet {'accepts' if calibrated else 'finds familiar'}, most familiar first, with what "
            "it takes each for.",
            _chosen(run, by_kind[Kind.UNKNOWN]),
        ),
        Wall(
            f"Attacked images that {passed}",
            f"Attacked images that are taken for another class and {'accepted' if calibrated else 'look familiar'}.",
            _chosen(run, by_kind[Kind.ATTACKED]),
        ),
    ]


def gallery(run: RunContents) -> Html:
    """Return the walls as HTML; those of sets that were not measured say so."""
    return join(*(_html(wall) for wall in walls(run)))


def _html(wall: Wall) -> Html:
    figures = (
        el(
            "li",
            el(
                "figure",
                el(
                    "img",
                    src=picture_url(each.image),
                    alt=each.alt,
                    width=64,
                    height=_height(each.image),
                    loading="lazy",
                ),
                el("figcaption", each.caption, el("small", each.score)),
            ),
        )
        for each in wall.pictures
    )
    pictures = el("ul", *figures, class_="gallery") if wall.pictures else el("p", "None.", class_="none")
    return el("div", el("h4", wall.title), el("p", wall.text, class_="caption"), pictures, class_="wall")


def _height(image: Pixels) -> int:
    height, width = image.shape[:2]
    scaled: float = 64 * height / width
    return round(scaled)


def _chosen(run: RunContents, sets: list[Points], *, strangest: bool = False) -> list[Picture]:
    """Return the first of each set in turn, by score."""
    each = [_ranked(run, points, strangest) for points in sets]
    turns = chain.from_iterable(zip_longest(*each))
    return [picture for picture in turns if picture is not None][:_MOST]


def _ranked(run: RunContents, points: Points, strangest: bool) -> list[Picture]:
    detector = main_detector(run)
    scores = run.scores[detector].get(points.name) if detector else None
    if scores is None or not len(points.index) or points.index.max() >= len(scores):
        return []
    own, p_values = scores[points.index], point_p_values(run, points)
    eligible = ~np.isnan(own)
    if not strangest and run.calibration is not None:
        eligible &= ~(p_values <= run.calibration.false_alarm)
    if points.kind is Kind.ATTACKED:
        eligible &= points.prediction != points.label
    rows = np.flatnonzero(eligible)
    order = rows[np.argsort(-own[rows] if strangest else own[rows], kind="stable")][:_MOST]
    return [_picture(run, points, int(row), float(p_values[row])) for row in order]


def _picture(run: RunContents, points: Points, row: int, p_value: float) -> Picture:
    predicted = run.class_names[points.prediction[row]]
    label = int(points.label[row])
    sure = percent(float(points.probability[row]))
    p = "" if np.isnan(p_value) else f"p = {p_value:.2g}"
    if label < 0:
        text, said = f"{shortened(points.name, 18)} as “{shortened(predicted, 14)}”", f"An image of {points.name}"
    else:
        true = run.class_names[label]
        right = label == int(points.prediction[row])
        text = shortened(true, 14) if right else f"{shortened(true, 14)} as “{shortened(predicted, 14)}”"
        said = f"{true}, of {points.name}"
    alt = f"{said}, taken for {predicted} with {sure}"
    return Picture(points.thumbnails[row], text, p, f"{alt}, {p}" if p else alt)
