from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drumlin.data import detect_landmarks
from drumlin.data.landmarks import COLUMNS, POINTS, read_landmarks

Make = Callable[..., Path]
HEADER = ",".join(COLUMNS)
NUMBERS = ",".join(str(i) for i in range(10))


@pytest.fixture
def folder(make_folder: Make) -> Path:
    names = ("Ann/1.png", "Ann/2.png", "Lee, Bob/1.png")
    return make_folder({name: ("L", (20, 10), 10 * i) for i, name in enumerate(names)})


def face(x: float, y: float, mark: int = 0) -> dict[str, Any]:
    """A face of 4x4 pixels at (x, y), its landmarks numbered from `mark`."""
    keypoints = {point: (np.int64(mark + 2 * i), np.int64(mark + 2 * i + 1)) for i, point in enumerate(POINTS)}
    return {"box": [x, y, 4, 4], "confidence": 0.9, "keypoints": keypoints}


def test_what_is_found_is_read_again(folder: Path, tmp_path: Path) -> None:
    seen = []

    def find(image: Any) -> list[dict[str, Any]]:
        seen.append((image.shape, image.dtype, image.max()))
        # of three faces the second is nearest to the centre, (10, 5); in the second image there is none
        return [] if image.max() == 10 else [face(0, 0, 50), face(9, 2), face(14, 6, 70)]

    out = tmp_path / "points.csv"
    assert detect_landmarks(folder, out, find=find) == 2
    assert seen == [((10, 20, 3), np.uint8, value) for value in (0, 10, 20)]
    points = read_landmarks(out, folder)
    assert list(points) == ["Ann/1.png", "Lee, Bob/1.png"]
    assert points["Ann/1.png"].flatten().tolist() == list(range(10))
    assert out.read_text().startswith("image,left_eye_x,left_eye_y,right_eye_x,")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["image,x,y", f"Ann/1.png,{NUMBERS}"], "line 1: the columns must be image,left_eye_x"),
        ([HEADER, f"Ann/1.png,{NUMBERS}", "Ann/2.png,1,2"], "line 3: after the image's path there must be 10 finite"),
        ([HEADER, f"Ann/1.png,{NUMBERS[:-1]}nan"], "line 2: after the image's path there must be 10 finite numbers"),
        ([HEADER, f"Ann/1.png,{NUMBERS[:-1]}x"], "line 2: after the image's path"),
        ([HEADER, f"Ann/3.png,{NUMBERS}"], "line 2: there is no image .*3.png"),
        ([HEADER, f"Ann/1.png,{NUMBERS}", f"Ann/1.png,{NUMBERS}"], "line 3: Ann/1.png has landmarks already"),
        ([HEADER], "has landmarks of no image"),
        ([], "line 1: the columns must be"),
    ],
)
def test_damaged_files(folder: Path, tmp_path: Path, lines: list[str], message: str) -> None:
    out = tmp_path / "points.csv"
    out.write_text("\n".join(lines))
    with pytest.raises(ValueError, match=message):
        read_landmarks(out, folder)


def test_no_file(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"points\.csv: there is no such file"):
        read_landmarks(tmp_path / "points.csv", folder)


def test_the_detector_is_an_extra(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "mtcnn", None)
    with pytest.raises(ImportError, match=r'pip install "drumlin\[align\]"'):
        detect_landmarks(folder, tmp_path / "points.csv")
    assert not (tmp_path / "points.csv").exists()


def test_the_real_detector_finds_no_face_in_grey(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("mtcnn")
    assert detect_landmarks(folder, tmp_path / "points.csv") == 0
