from matplotlib.figure import Figure as Canvas

from drumlin.report.figures.cells import CellFigure
from drumlin.report.files import write_figure

CELLS = {
    ("gm", "msp", "noise"): 100.0,
    ("gm", "msp", "pgd"): 3.2,
    ("gm", "vim", "noise"): 55.0,
    ("softmax", "msp", "noise"): None,
    ("softmax", "vim", "pgd"): 50.4,
}


def test_blocks_rows_and_columns_come_as_they_are_first_named_and_what_is_missing_is_a_dash(tmp_path) -> None:
    figure = CellFigure("cells", CELLS, "AUROC", "caption")
    assert (figure.models, figure.detectors, figure.anomalies) == (["gm", "softmax"], ["msp", "vim"], ["noise", "pgd"])
    canvas = Canvas()
    figure.save_to(canvas)
    left, right = canvas.axes
    assert [text.get_text() for text in left.texts] == ["100", "3", "55", "–"]
    assert [text.get_text() for text in right.texts] == ["–", "–", "–", "50"]
    assert [label.get_text() for label in left.get_yticklabels()] == ["msp", "vim"]
    assert [label.get_text() for label in right.get_xticklabels()] == ["noise", "pgd"]
    assert left.images[0].get_clim() == right.images[0].get_clim() == (0, 100)
    assert {path.suffix for path in write_figure(figure, tmp_path)} == {".png", ".svg"}
    assert figure.alt.startswith("AUROC of 2 detectors on gm, softmax")


def test_three_blocks_stand_in_two_rows_each_with_its_own_numbers() -> None:
    cells = {
        (model, detector, "noise"): value
        for model, value in (("a", 10.0), ("b", 20.0), ("c", 30.0))
        for detector in "xy"
    }
    figure = CellFigure("cells", cells, "AUROC", "caption")
    two = CellFigure("cells", {key: value for key, value in cells.items() if key[0] != "c"}, "AUROC", "caption")
    assert figure.width == two.width
    assert figure.height > two.height
    canvas = Canvas()
    figure.save_to(canvas)
    assert [axes.get_title() for axes in canvas.axes] == ["a", "b", "c", ""]
    assert [{text.get_text() for text in axes.texts} for axes in canvas.axes] == [{"10"}, {"20"}, {"30"}, set()]
    assert [axes.axison for axes in canvas.axes] == [True, True, True, False]
    assert [label.get_text() for label in canvas.axes[2].get_yticklabels()] == ["x", "y"]
