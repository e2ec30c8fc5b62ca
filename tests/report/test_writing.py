import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from drumlin.report import write_report

FIGURES = {"map", "scores", "roc", "trade-off", "confusion", "distances", "loss", "errors"}


def test_the_page_lies_in_the_first_run_and_is_replaced(run_writer) -> None:
    folder = run_writer().write()
    path = write_report([folder])
    assert path == folder / "report.html"
    first = path.read_bytes()
    assert write_report([folder]) == path
    assert path.read_bytes() == first


def test_a_page_elsewhere_makes_its_folder(run_writer, tmp_path: Path) -> None:
    path = write_report([run_writer().write()], tmp_path / "new" / "page.html")
    assert path.read_text().startswith("<!doctype html>")


def test_another_file_is_not_written_over(run_writer, tmp_path: Path) -> None:
    path = tmp_path / "notes.html"
    path.write_text("<html>mine</html>")
    with pytest.raises(ValueError, match=r"notes.html exists and is not a report of drumlin: it is left as it is"):
        write_report([run_writer().write()], path)
    assert path.read_text() == "<html>mine</html>"


def test_a_folder_is_no_page(run_writer, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is a folder: give the name of a file, such as .*report.html"):
        write_report([run_writer().write()], tmp_path)


def test_a_place_that_cannot_be_written(run_writer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"the report .*page.html cannot be written: "):
        write_report([run_writer().write()], tmp_path / "file" / "page.html")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(run_writer, tmp_path: Path) -> None:
    place = tmp_path / "locked"
    place.mkdir(mode=0o500)
    with pytest.raises(ValueError, match="cannot be written: Permission denied"):
        write_report([run_writer().write()], place / "page.html")


def test_no_run() -> None:
    with pytest.raises(ValueError, match="no run: give the folder of at least one"):
        write_report([])


def test_a_run_twice(run_writer) -> None:
    folder = run_writer().write()
    with pytest.raises(ValueError, match="is given twice"):
        write_report([folder, folder / ".." / folder.name])


def test_runs_of_one_name_are_told_apart(run_writer) -> None:
    first, second = run_writer("a/gm").write(), run_writer("b/gm").write()
    text = write_report([first, second]).read_text()
    assert "<title>a/gm · b/gm · drumlin</title>" in text


def test_figures_as_files(run_writer, tmp_path: Path) -> None:
    writer = run_writer(names=("a $x$", "<b>", "_c_"))
    folder = writer.write()
    write_report([folder], figures=tmp_path / "figures")
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names == {f"{name}.{kind}" for name in FIGURES for kind in ("png", "svg")}
    for path in (tmp_path / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert len(image.convert("L").getcolors(256)) > 5, path.name  # something is drawn
    assert "<svg" in (tmp_path / "figures" / "map.svg").read_text()


def test_figures_of_several_runs_have_their_names_and_are_the_same_each_time(run_writer, tmp_path: Path) -> None:
    runs = [run_writer("one").write(frozenset({"mapped"})), run_writer("two").write(frozenset({"evaluated"}))]
    write_report(runs, figures=tmp_path / "figures")
    first = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    assert {name.partition("-")[0] for name in first} == {"one", "two"}
    assert {"two-confusion.png", "two-loss.svg", "one-map.png"} <= first.keys()
    assert "two-map.png" not in first
    shutil.rmtree(tmp_path / "figures")
    write_report(runs, figures=tmp_path / "figures")
    assert {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()} == first


def test_figures_of_names_that_are_not_utf_8(run_writer, tmp_path: Path) -> None:
    write_report([run_writer(names=("caf\udce9", "b", "c")).write()], figures=tmp_path)
    assert "caf" in (tmp_path / "confusion.svg").read_text()


def test_figures_where_a_file_is(run_writer, tmp_path: Path) -> None:
    (tmp_path / "figures").write_text("")
    with pytest.raises(ValueError, match=r"figures cannot be written into .*figures"):
        write_report([run_writer().write()], figures=tmp_path / "figures")
