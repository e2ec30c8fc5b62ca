from __future__ import annotations

from pathlib import Path

import pytest

from drumlin.data.roots import check_writable, data_root, user_cache


def test_explicit_goes_before_environment_before_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DRUMLIN_DATA", str(tmp_path / "env"))
    assert data_root(tmp_path / "given") == tmp_path / "given"
    assert data_root() == tmp_path / "env"
    monkeypatch.delenv("DRUMLIN_DATA")
    assert data_root() == tmp_path / "xdg" / "drumlin" / "data"


def test_without_xdg_the_home_folder_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")
    assert user_cache() == tmp_path / ".cache" / "drumlin"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert user_cache() == tmp_path / "local" / "drumlin"


def test_a_file_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file; give a folder with --data-root"):
        data_root(tmp_path / "file")


def test_a_root_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file.inside cannot be written .*nothing can be downloaded"):
        check_writable(tmp_path / "file" / "inside")
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
