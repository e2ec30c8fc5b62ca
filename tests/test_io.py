import errno
import os
import stat
from pathlib import Path

import pytest

from drumlin import _io


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def half() -> None:
        with _io.atomic_path(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    _io.write_bytes(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(_io.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        _io.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_disk_before_the_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(_io.os, name, lambda *a, n=name, o=original: (order.append(n), o(*a))[1])
    _io.write_bytes(tmp_path / "file", b"x")
    assert order == ["fsync", "replace"]


def test_folders_are_made_and_rights_are_those_of_new_files(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    before = os.umask(0o027)
    try:
        _io.write_bytes(path, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640  # not the 0600 of temporary files


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    _io.write_json(path, {"a": [1, None, "é"]})
    assert _io.read_json(path) == {"a": [1, None, "é"]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        _io.write_json(path, {"a": float("nan")})
    assert _io.read_json(path)["a"][0] == 1


@pytest.mark.parametrize("content", [b"", b'{"a": 1', b"\xff\xfe"])
def test_damaged_json_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json: not valid JSON .* damaged or not one of drumlin's"):
        _io.read_json(path)


def test_missing_json(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        _io.read_json(tmp_path / "a.json")


def test_hashes() -> None:
    assert _io.hash_bytes(b"a", b"") != _io.hash_bytes(b"", b"a") != _io.hash_bytes(b"a")
    assert _io.hash_json([1, 2]) != _io.hash_json([2, 1])
    assert _io.hash_json({"a": 1}) != _io.hash_json({"a": "1"})


def test_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert _io.hash_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_unknown_names_have_the_nearest_whatever_their_case() -> None:
    assert str(_io.unknown("head", "GM", ["softmax", "gm"])).startswith("unknown head 'GM': did you mean 'gm'?")
    assert str(_io.unknown("optimizer", "adamv", ["AdamW", "SGD"])) == (
        "unknown optimizer 'adamv': did you mean 'AdamW'? (known: AdamW, SGD)"
    )
    assert str(_io.unknown("head", "qqq", ["softmax"])) == "unknown head 'qqq' (known: softmax)"


def test_long_lists_are_not_printed() -> None:
    text = str(_io.unknown("model", "m7x", [f"m{i}" for i in range(41)]))
    assert "(known" not in text
    assert "'m7'" in text


@pytest.mark.parametrize("torn", [b'{"epoch": 3, "lo', b"\xff"])
def test_a_line_that_is_cut_off_is_named_by_its_number(tmp_path, torn):
    path = tmp_path / "training.jsonl"
    path.write_bytes(b'{"epoch": 1}\n\n{"epoch": 2}\n')
    assert _io.read_json_lines(path) == [{"epoch": 1}, {"epoch": 2}]
    path.write_bytes(path.read_bytes() + torn)
    with pytest.raises(ValueError, match=r"training\.jsonl:4: not JSON .* damaged there"):
        _io.read_json_lines(path)
