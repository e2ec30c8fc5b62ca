import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from drumlin.report.page import LIMIT, render
from drumlin.report.palette import COLOURS

EVIL = "<script>document.title='owned'</script>"


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def _json(text: str, name: str) -> dict:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', text)
    assert found is not None
    return json.loads(found[1])


def test_nothing_is_loaded_from_anywhere(contents) -> None:
    tags = _Tags(render([contents])).tags
    places = [
        value
        for _, about in tags
        for name, value in about.items()
        if name in ("src", "href", "srcset", "action", "data")
    ]
    assert places
    assert all(place.startswith(("data:", "#")) for place in places)
    assert not any(tag in ("iframe", "object", "embed", "base") for tag, _ in tags)


def test_plotly_is_there_once_and_after_the_text(contents, run_writer) -> None:
    text = render([contents, run_writer("two").contents()])
    assert text.count("plotly.js v") == 1
    assert text.index("plotly.js v") > text.index("</main>") > text.index("It errs on")


def test_names_are_text_wherever_they_stand(run_writer) -> None:
    writer = run_writer(names=(EVIL, "</style>", "%{x}"), data="digits")
    writer.sets[f"folder:{EVIL}"] = writer.sets["noise"]
    text = render([writer.contents()])
    scripts = [about for tag, about in _Tags(text).tags if tag == "script"]
    assert [about.get("id") for about in scripts] == ["figures", "maps", None, None, None]
    assert EVIL not in text
    assert _json(text, "maps")["maps"][0]["classes"] == [EVIL, "</style>", "%{x}"]
    for figure in _json(text, "figures").values():  # plotly takes some tags in its labels for markup
        assert "<script" not in json.dumps([figure["data"], figure["layout"]])


def test_a_name_that_is_not_utf_8_is_shown_escaped(run_writer) -> None:
    """Such as Python makes of the bytes of a folder's name."""
    text = render([run_writer(names=("caf\udce9", "b", "c")).contents()])
    assert "caf\\udce9" in text.encode().decode()
    assert _json(text, "maps")["maps"][0]["classes"][0] == "caf\udce9"


def test_colours_of_figures_are_names_in_the_palette(contents) -> None:
    def tokens(value: object) -> set[str]:
        if isinstance(value, dict):
            own = {value["$"]} if "$" in value else set()
            return own.union(*(tokens(item) for item in value.values()))
        return set().union(*(tokens(item) for item in value)) if isinstance(value, list) else set()

    used = tokens(_json(render([contents]), "figures"))
    assert {"ink", "test", "set-1"} <= used <= COLOURS.keys()


def test_every_place_has_its_figure_and_every_detector_both(contents) -> None:
    text = render([contents])
    figures = _json(text, "figures")
    places = [about["data-figure"] for _, about in _Tags(text).tags if "data-figure" in about]
    assert set(places) <= figures.keys()
    assert {
        f"r0/{kind}/{detector}" for kind in ("scores", "roc") for detector in ("k-density", "msp")
    } <= figures.keys()
    assert all("figcaption" in text and figure["caption"] and figure["alt"] for figure in figures.values())


def test_every_picture_has_words(contents) -> None:
    for tag, about in _Tags(render([contents])).tags:
        if tag == "img":
            assert about["alt"]
        if about.get("role") == "img":
            assert about["aria-label"]


@pytest.mark.parametrize("several", [False, True])
def test_runs_of_different_data_may_stand_side_by_side_and_it_is_said(run_writer, several: bool) -> None:
    runs = [run_writer("one").contents(), run_writer("two", data="mnist" if several else "digits").contents()]
    assert ("These runs are of different data" in render(runs)) is several


def test_a_run_of_which_nothing_is_measured_says_what_to_run(run_writer) -> None:
    run = run_writer("bare run").contents(frozenset())
    text = render([run])
    for command in ("evaluate", "detect", "calibrate"):
        assert f"<code>drumlin {command} '" in text
    assert "There is no map yet" in text
    assert _json(text, "maps")["maps"] == [None]


def test_a_run_without_a_map_has_its_figures(run_writer) -> None:
    text = render([run_writer().contents(frozenset({"evaluated", "calibrated", "detected"}))])
    assert "There is no map yet" in text
    assert "r0/trade-off" in _json(text, "figures")


def test_one_class(run_writer) -> None:
    text = render([run_writer(names=("only",)).contents()])
    assert "There is one class" in text
    assert not any("confusion" in place or "distances" in place for place in _json(text, "figures"))


def test_scores_that_are_not_a_number_are_left_out_and_counted(run_writer) -> None:
    writer = run_writer()
    writer.scores = {f"k-density/{name}": np.arange(40.0) for name in ("test", "noise")}
    writer.scores["k-density/noise"][:7] = np.nan
    writer.scores["msp/noise"] = np.full(40, np.nan)
    writer.sets = {"test": writer.sets["test"], "noise": writer.sets["noise"]}
    text = render([writer.contents()])
    assert "Not a number, and left out: 7 of noise." in text
    assert "7 of noise by k-density and 40 of noise by msp" in text


def test_a_score_that_is_never_a_number(run_writer) -> None:
    writer = run_writer()
    writer.scores = {f"k-density/{name}": np.full(40, np.nan) for name in writer.sets if name != "training"}
    writer.scores |= {f"msp/{name}": np.full(40, np.nan) for name in writer.sets if name != "training"}
    assert "No score of k-density is a number: there is nothing to draw." in render([writer.contents()])


def test_points_without_a_finite_place_are_counted(run_writer) -> None:
    writer = run_writer()
    arrays = writer.map()
    arrays["pca/noise"][:3] = np.nan
    arrays["lda/noise"][2:5] = np.inf
    writer.map = lambda: arrays
    text = render([writer.contents()])
    assert "5 of noise have no finite place in it and are not drawn" in text
    assert next(layer["n"] for layer in _json(text, "maps")["maps"][0]["layers"] if layer["name"] == "noise") == 33


def test_images_that_two_runs_share_are_stored_once(run_writer) -> None:
    one, two = run_writer("one").contents(), run_writer("two").contents()
    alone, both = (_json(render(runs), "maps")["sheets"]["sources"] for runs in ([one], [one, two]))
    assert alone == both


@pytest.mark.slow
def test_twenty_thousand_points_of_a_hundred_classes_fit(run_writer) -> None:
    writer = run_writer(names=tuple(f"class {i}" for i in range(100)), n=4002)
    writer.size, writer.channels = (32, 32), 3  # and their images are noise, which nothing compresses
    text = render([writer.contents()])
    assert len(text.encode()) <= LIMIT
    maps = _json(text, "maps")
    assert sum(layer["n"] for layer in maps["maps"][0]["layers"]) == 20_000
    assert "to keep this page small" in maps["sheets"]["note"]
    assert maps["sheets"]["sources"]
    assert maps["maps"][0]["colours"] is None


def test_many_runs_share_the_points(run_writer, monkeypatch) -> None:
    monkeypatch.setattr("drumlin.report.sections.POINTS", 200)
    runs = [run_writer(f"run {i}").contents() for i in range(2)]
    text = render(runs)
    for run in _json(text, "maps")["maps"]:
        assert sum(layer["n"] for layer in run["layers"]) == 100
    assert (
        "53% of the points in the run&#x27;s folder are drawn" in text
        or "53% of the points in the run's folder" in text
    )
