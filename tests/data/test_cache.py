from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

import drumlin.data.cache
from drumlin.data.cache import decoded
from drumlin.data.folders import scan


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry each time that files are decoded."""
    calls: list[int] = []
    plain = drumlin.data.cache.decode

    def counted(*args: object, **options: object) -> torch.Tensor:
        calls.append(1)
        return plain(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("drumlin.data.cache.decode", counted)
    return calls


def read(folder: Path, root: Path, channels: int | None = None, size: int | None = None) -> torch.Tensor:
    return decoded(scan(folder), channels=channels, size=size, root=root)


def entries(root: Path) -> list[Path]:
    return list((root / ".drumlin-cache").iterdir())


def test_decoded_once(two_classes: Path, root: Path, decodings: list[int]) -> None:
    first, again = read(two_classes, root), read(two_classes, root)
    assert torch.equal(first, again)
    assert first[:, 0, 0, 0].tolist() == [*range(10), *range(100, 110)]
    assert len(decodings) == 1
    assert len(entries(root)) == 1  # nothing half-written beside it


def test_another_file_size_or_kind_is_another_entry(two_classes: Path, root: Path, decodings: list[int]) -> None:
    read(two_classes, root)
    assert read(two_classes, root, channels=3).shape == (20, 3, 4, 4)
    assert read(two_classes, root, size=2).shape == (20, 1, 2, 2)
    Image.new("L", (4, 4), 55).save(two_classes / "cat" / "0.png")
    assert read(two_classes, root)[0, 0, 0, 0] == 55
    assert len(decodings) == 4


def test_a_damaged_entry_is_made_anew(two_classes: Path, root: Path, decodings: list[int]) -> None:
    good = read(two_classes, root)
    (entry,) = entries(root)
    whole = entry.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1  # in the pixels, where safetensors sees nothing wrong
    for number, damaged in enumerate((bytes(flipped), whole[:-1], whole[:20], b""), start=2):
        entry.write_bytes(damaged)
        assert torch.equal(read(two_classes, root), good)
        assert len(decodings) == number
        assert torch.equal(read(two_classes, root), good)
        assert len(decodings) == number  # the new entry is whole


def test_an_entry_of_another_set_is_not_taken(two_classes: Path, root: Path, decodings: list[int]) -> None:
    read(two_classes, root)
    (entry,) = entries(root)
    save_file({"pixels": torch.zeros(20, 1, 4, 4, dtype=torch.uint8)}, entry)
    assert read(two_classes, root)[5, 0, 0, 0] == 5
    save_file({"other": torch.zeros(2)}, entry)
    assert read(two_classes, root)[5, 0, 0, 0] == 5
    assert len(decodings) == 3


def test_the_users_cache_serves_a_root_that_cannot_be_written(
    two_classes: Path, root: Path, tmp_path: Path, decodings: list[int]
) -> None:
    (
        root / ".drumlin-cache"
    ).touch()  # a file in the way stands for missing rights, which a test run as root would have
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(two_classes, root)
        read(two_classes, root)
    assert len(decodings) == 1
    assert len(list((tmp_path / "xdg" / "drumlin" / "decoded").iterdir())) == 1


def test_a_root_that_is_not_there_is_not_made(two_classes: Path, tmp_path: Path) -> None:
    read(two_classes, tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_without_any_place_it_works_and_says_so(two_classes: Path, root: Path, tmp_path: Path) -> None:
    (root / ".drumlin-cache").touch()
    (tmp_path / "xdg").touch()
    with pytest.warns(UserWarning, match=r"can be kept neither in .*drumlin-cache nor in .*decoded"):
        pixels = read(two_classes, root)
    assert pixels.shape == (20, 1, 4, 4)
