from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from drumlin.data.alignment import template
from drumlin.data.landmarks import COLUMNS

Drumlin = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def faces(tmp_path: Path) -> tuple[Path, Path]:
    """Two pictures of one person, one with landmarks."""
    folder, landmarks = tmp_path / "faces", tmp_path / "points.csv"
    (folder / "Ann").mkdir(parents=True)
    for i in (1, 2):
        Image.new("RGB", (120, 130), (90, 60, 30)).save(folder / f"Ann/{i}.png")
    row = ",".join(str(value) for value in (template() + 6).flatten().tolist())
    landmarks.write_text(f"{','.join(COLUMNS)}\nAnn/1.png,{row}\n")
    return folder, landmarks


def test_align(drumlin: Drumlin, faces: tuple[Path, Path], tmp_path: Path) -> None:
    folder, landmarks = faces
    words = ("datasets", "--align", folder, "--landmarks", landmarks, "--out", tmp_path / "aligned")
    for _ in range(2):
        assert f"{tmp_path / 'aligned'}: 1 faces; left out for want of landmarks: 1 images" in drumlin(*words).out
    assert Image.open(tmp_path / "aligned/Ann/1.jpg").size == (96, 112)
    square = drumlin(*words[:-1], tmp_path / "square", "--size", 64, 64)
    assert square.code == 0
    assert Image.open(tmp_path / "square/Ann/1.jpg").size == (64, 64)


def test_align_finds_the_landmarks_once(
    drumlin: Drumlin, faces: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keypoints = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
    found = {"box": [0, 0, 9, 9], "keypoints": dict(zip(keypoints, torch.round(template()).tolist(), strict=True))}
    monkeypatch.setattr("drumlin.data.landmarks._mtcnn", lambda: lambda image: [found])
    words = ("datasets", "--align", faces[0], "--landmarks", tmp_path / "new.csv", "--out", tmp_path / "aligned")
    assert "new.csv: faces found in 2 images" in drumlin(*words).out
    assert "faces found" not in drumlin(*words).out


def test_align_needs_both(refused: Refused, faces: tuple[Path, Path], tmp_path: Path) -> None:
    folder, _ = faces
    assert "--align needs --landmarks FILE and --out FOLDER" in refused("datasets", "--align", folder)
    assert "does not exist" in refused(
        "datasets", "--align", tmp_path / "none", "--landmarks", tmp_path / "n.csv", "--out", tmp_path / "o"
    )


def test_a_set_to_be_got_by_hand(drumlin: Drumlin, refused: Refused, tmp_path: Path) -> None:
    out = drumlin("datasets", "imagenet", "--data-root", tmp_path).out
    assert "to get imagenet: register at image-net.org" in out
    assert "various" in drumlin("datasets", "frgc", "--data-root", tmp_path).out
    assert "cannot be downloaded by drumlin" in refused("datasets", "lfw", "--download", "--data-root", tmp_path)
