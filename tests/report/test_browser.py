"""The page as a reader has it: in a browser, without network."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drumlin.report import write_report

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: apt-get install chromium"),
]

EVIL = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# How much of a canvas is drawn on, and a number that changes with it. Read from a copy, for the browser warns of reading much.
PIXELS = """canvas => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
    let inked = 0, sum = 0;
    for (let i = 0; i < data.length; i += 4) {
        if (data[i + 3]) inked++;
        sum = (sum * 31 + data[i] + 3 * data[i + 1] + 7 * data[i + 2] + 11 * data[i + 3]) % 1000003;
    }
    return [inked, sum];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Reader:
    """A page, and what went wrong on it."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._request)

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("data:", "blob:")) and request.resource_type != "document":
            self.complaints.append(f"request: {request.url}")

    def picture(self, selector: str = "canvas.points") -> list[int]:
        """Return how much of a canvas is drawn on, and a number that changes with it."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return self.page.locator(selector).first.evaluate(PIXELS)

    def scroll_through(self) -> None:
        """Bring everything into view once."""
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for y in range(0, height, 600):
            self.page.evaluate(f"scrollTo(0, {y})")
            self.page.wait_for_timeout(40)
        self.page.wait_for_function(
            "[...document.querySelectorAll('.plot')].every(plot => plot.querySelector('.main-svg'))"
        )

    def point(self, layer: str) -> tuple[float, float]:
        """Return where on the screen a point of a layer lies, that no other point hides."""
        return self.page.evaluate(
            """name => {
                const map = drumlin.maps[0], layer = map.layers.find(each => each.name === name);
                const xy = layer.xy[map.view.name], box = map.canvas.getBoundingClientRect();
                for (let i = 0; i < layer.n; i++) {
                    const [x, y] = [map.across(xy[2 * i]), map.down(xy[2 * i + 1])];
                    const inside = x > 5 && y > 5 && x < map.width - 5 && y < map.height - 5;
                    if (inside && map.nearest(x, y).layer === layer) return [box.left + x, box.top + y];
                }
            }""",
            layer,
        )


@pytest.fixture
def opened(browser: Any, run_writer: Callable[..., Any], tmp_path: Path) -> Iterator[Callable[..., Reader]]:
    """Open the page of runs with the worst of names."""
    readers: list[Reader] = []

    def open_(
        width: int = 1280, scheme: str = "light", runs: int = 1, views: tuple[str, ...] = ("pca", "lda")
    ) -> Reader:
        folders = []
        for i in range(runs):
            writer = run_writer(f"run {i}", names=(EVIL, "dog" * 60, "owl"))
            writer.sets[f"folder:{EVIL}"] = writer.sets["noise"]
            writer.views = views
            folders.append(writer.write())
        path = write_report(folders, tmp_path / "page.html")
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        reader = Reader(page)
        readers.append(reader)
        page.goto(path.as_uri())
        return reader

    yield open_
    for reader in readers:
        title = reader.page.title()
        reader.page.close()
        assert reader.complaints == []
        assert "owned" not in title


def test_everything_is_drawn_without_a_word_from_the_browser(opened: Callable[..., Reader]) -> None:
    reader = opened(runs=2)
    reader.scroll_through()
    assert reader.picture()[0] > 2000
    assert reader.page.locator("canvas.points").count() == 2
    assert reader.page.locator(".plot .main-svg").count() >= 14
    assert reader.page.locator(".plot .scatterlayer .trace path.js-line").count() > 20
    for image in reader.page.locator(".gallery img").all():
        assert image.evaluate("image => image.naturalWidth") == 8


def test_names_are_shown_as_they_are(opened: Callable[..., Reader]) -> None:
    reader = opened()
    reader.scroll_through()
    assert reader.page.locator("img[src='x']").count() == 0
    assert EVIL in reader.page.locator("select option").all_text_contents()
    assert any("onerror" in text for text in reader.page.locator(".plot .xtick text").all_text_contents()) or any(
        "<img" in text for text in reader.page.locator(".plot .xtick text").all_text_contents()
    )
    assert any(text.startswith("folder:<img") for text in reader.page.locator(".legend button").all_text_contents())


def test_hovering_shows_the_image_and_what_is_said_of_it(opened: Callable[..., Reader]) -> None:
    reader = opened()
    reader.page.locator("canvas.points").scroll_into_view_if_needed()
    card = reader.page.locator(".card")
    assert card.is_hidden()
    reader.page.mouse.move(*reader.point("noise"))
    text = card.inner_text()
    for word in ("noise", "none it knows", "taken for", "p-value"):
        assert word in text
    assert "accepted" in text or "refused" in text
    inked, noise = reader.picture(".card canvas")
    assert inked == 64  # all of 8 x 8 pixels
    reader.page.mouse.move(*reader.point("training"))
    assert "p-value" not in card.inner_text()
    assert reader.picture(".card canvas")[1] != noise
    reader.page.mouse.move(5, 5)
    assert card.is_hidden()


def test_layers_contours_views_and_colours_switch(opened: Callable[..., Reader]) -> None:
    reader = opened()
    map_ = reader.page.locator(".map")
    pictures = [reader.picture()]

    def act(action: Callable[[], Any]) -> None:
        action()
        pictures.append(reader.picture())
        assert pictures[-1][1] != pictures[-2][1]

    layer = map_.locator("[data-layer=test]")
    act(layer.click)
    assert layer.get_attribute("aria-pressed") == "false"
    assert pictures[1][0] < pictures[0][0]
    act(layer.click)
    assert pictures[2] == pictures[0]
    act(map_.get_by_role("button", name="contours").click)
    act(map_.get_by_role("button", name="contours").click)
    act(map_.locator("[data-view=lda]").click)
    assert map_.locator("[data-view=lda]").get_attribute("aria-pressed") == "true"
    act(map_.locator("[data-view=pca]").click)
    assert pictures[-1] == pictures[0]
    act(lambda: map_.get_by_label("Colour", exact=True).select_option("class"))
    act(lambda: map_.get_by_label("Colour", exact=True).select_option("refused"))
    act(lambda: map_.get_by_label("Class", exact=True).select_option(label="owl"))


def test_the_map_moves_by_button_wheel_drag_and_key(opened: Callable[..., Reader]) -> None:
    reader = opened()
    canvas = reader.page.locator("canvas.points")
    first = reader.picture()
    reader.page.get_by_role("button", name="Zoom in").click()
    assert reader.picture() != first
    reader.page.get_by_role("button", name="Show all").click()
    assert reader.picture() == first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reader.page.mouse.move(x, y)
    reader.page.mouse.down()
    reader.page.mouse.move(x + 60, y + 30, steps=3)
    reader.page.mouse.up()
    dragged = reader.page.evaluate("drumlin.maps[0].across(drumlin.maps[0].centre[0])")
    assert reader.picture() != first
    assert dragged == pytest.approx(box["width"] / 2, abs=1.5)
    reader.page.keyboard.press("0")
    before = reader.page.evaluate("scrollY")
    reader.page.mouse.wheel(0, -200)  # the map has the focus: it zooms, and the page stays
    assert reader.page.evaluate("drumlin.maps[0].magnified") > 1
    assert reader.page.evaluate("scrollY") == before
    for key in ("ArrowLeft", "ArrowUp", "+"):
        was = reader.picture()
        reader.page.keyboard.press(key)
        assert reader.picture() != was


def test_the_page_scrolls_past_the_map(opened: Callable[..., Reader]) -> None:
    reader = opened()
    canvas = reader.page.locator("canvas.points")
    canvas.scroll_into_view_if_needed()
    canvas.hover()
    before = reader.page.evaluate("scrollY")
    reader.page.mouse.wheel(0, 150)
    reader.page.wait_for_function(f"scrollY > {before}")
    assert reader.page.evaluate("drumlin.maps[0].magnified") == 1


def test_the_density_is_drawn_beneath(opened: Callable[..., Reader]) -> None:
    reader = opened(views=("plane",))
    for layer in reader.page.locator(".map .legend button").all():
        layer.click()
    inked, _ = reader.picture()
    assert inked > 50_000  # the hill is a surface, not a line


def test_dark_mode_is_the_systems_until_the_reader_chooses(opened: Callable[..., Reader]) -> None:
    reader = opened(scheme="dark")
    reader.scroll_through()
    ground = "getComputedStyle(document.body).backgroundColor"
    dark, picture = reader.page.evaluate(ground), reader.picture()
    assert dark == "rgb(20, 23, 28)"
    line = "getComputedStyle(document.querySelector('.plot .js-line')).stroke"
    dark_line = reader.page.evaluate(line)
    reader.page.locator("#theme").click()
    assert reader.page.evaluate(ground) == "rgb(255, 255, 255)"
    assert reader.picture() != picture
    reader.page.wait_for_function(f"{line} !== {dark_line!r}")
    reader.page.reload()
    assert reader.page.evaluate(ground) == "rgb(255, 255, 255)"
    reader.page.locator("#theme").click()
    assert reader.page.evaluate(ground) == dark


@pytest.mark.parametrize("runs", [1, 2])
def test_a_phone_needs_no_sideways_scrolling(opened: Callable[..., Reader], runs: int) -> None:
    reader = opened(width=375, runs=runs)
    reader.scroll_through()
    wide = reader.page.evaluate(
        """[...document.querySelectorAll("body *")].filter(each => each.getBoundingClientRect().right > 376
            && !each.closest(".box, nav, svg")).map(each => `${each.tagName}.${each.className}`)"""
    )
    assert wide == []
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 375


def test_runs_lie_side_by_side_where_there_is_room(opened: Callable[..., Reader]) -> None:
    for width, beside in ((1280, True), (375, False)):
        reader = opened(width=width, runs=2)
        first, second = (each.bounding_box() for each in reader.page.locator("canvas.points").all())
        assert (first["y"] == pytest.approx(second["y"], abs=40)) is beside


def test_another_detector_can_be_chosen(opened: Callable[..., Reader]) -> None:
    reader = opened()
    reader.scroll_through()
    plots = reader.page.locator("#refusal .plot")
    title = "#refusal .plot .xtitle"
    assert reader.page.locator(title).first.text_content() == "k-density score"
    reader.page.locator("select.detector").select_option("msp")
    reader.page.wait_for_function(f"document.querySelector('{title}').textContent === 'msp score'")
    assert plots.nth(0).get_attribute("data-figure") == "r0/scores/msp"
    assert plots.nth(1).get_attribute("data-figure") == "r0/roc/msp"
    assert plots.nth(2).get_attribute("data-figure") == "r0/trade-off"
    assert "msp score" in plots.nth(0).get_attribute("aria-label")


def test_a_line_is_switched_off_in_the_legend(opened: Callable[..., Reader]) -> None:
    reader = opened()
    reader.scroll_through()
    lines = reader.page.locator("#refusal .plot >> nth=0").locator(".js-line")
    before = lines.count()
    reader.page.locator("#refusal .legend >> nth=0").get_by_role("button", name="noise").click()
    reader.page.wait_for_timeout(100)
    assert lines.count() == before - 1


def test_tables_are_copied_with_all_digits(opened: Callable[..., Reader]) -> None:
    reader = opened()
    reader.page.evaluate(
        """() => {
            navigator.clipboard.writeText = async () => { throw new Error("as on a page from a file in some browsers"); };
            document.execCommand = () => { window.copied = document.activeElement.value; return true; };
        }"""
    )
    reader.page.get_by_role("button", name="Copy table: All measurements").click()
    rows = [line.split("\t") for line in reader.page.evaluate("window.copied").split("\n")]
    assert rows[0][:3] == ["task", "metric", "detector"]
    assert rows[1][:2] == ["classification", "error"]
    assert rows[1][6] == "0.1"
    assert len({len(row) for row in rows}) == 1
