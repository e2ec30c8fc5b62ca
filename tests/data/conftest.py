from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from drumlin.data import Images


@pytest.fixture(autouse=True)
def _no_caches_of_this_machine(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests neither see nor fill the user's caches; only those marked `data` see the data root."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    if request.node.get_closest_marker("data") is None:
        monkeypatch.delenv("DRUMLIN_DATA", raising=False)


@pytest.fixture
def real_root() -> Path:
    """The data root with MNIST, CIFAR-10 and the ood sets; the test is skipped without it."""
    root = os.environ.get("DRUMLIN_DATA")
    if not root or not (Path(root) / "MNIST").is_dir():
        pytest.skip("needs real data under DRUMLIN_DATA")
    return Path(root)


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """Write images {path: (mode, (width, height), value)} below a new folder; return it."""

    def make(images: Mapping[str, tuple[str, tuple[int, int], object]], name: str = "pictures") -> Path:
        base = tmp_path / name
        base.mkdir(exist_ok=True)
        for path, (mode, size, value) in images.items():
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            Image.new(mode, size, value).save(base / path)  # type: ignore[arg-type]
        return base

    return make


@pytest.fixture
def two_classes(make_folder: Callable[..., Path]) -> Path:
    """Ten grey 4x4 images a class: cats of value 0..9, dogs of value 100..109."""
    cats = {f"cat/{i}.png": ("L", (4, 4), i) for i in range(10)}
    dogs = {f"dog/{i}.png": ("L", (4, 4), 100 + i) for i in range(10)}
    return make_folder(cats | dogs)


@pytest.fixture
def numbered() -> Images:
    """Twenty grey 4x4 images; image i has value i everywhere, class i mod 2."""
    values = torch.arange(20, dtype=torch.uint8)
    return Images(
        pixels=values[:, None, None, None].expand(20, 1, 4, 4).contiguous(),
        labels=torch.arange(20) % 2,
        class_names=("even", "odd"),
        name="numbered",
        split="train",
    )


@pytest.fixture
def colours() -> np.ndarray:
    """A 9x7 colour picture, seeded, values 0..255."""
    return np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
