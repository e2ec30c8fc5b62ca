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
