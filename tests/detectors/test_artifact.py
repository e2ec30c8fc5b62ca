import json

import pytest
import torch
from safetensors import SafetensorError

from drumlin.detectors import artifact
from drumlin.detectors.artifact import SCHEMA, read_artifact, write_artifact


@pytest.fixture
def folder(tmp_path):
    write_artifact(tmp_path, "thing", {"a": torch.arange(6.0).reshape(2, 3).T}, {"n": 1})
    return tmp_path


def read(folder):
    return read_artifact(folder, "thing", "make it again")


def test_round_trip_of_a_view(folder):
    description, tensors = read(folder)
    assert description == {"n": 1}
    assert tensors["a"].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert sorted(path.name for path in folder.iterdir()) == [
        "thing.json",
        "thing.safetensors",
    ]  # nothing temporary left


def test_a_full_disk_leaves_what_was_there(folder, monkeypatch):
    def fail(*_):
        raise SafetensorError("No space left on device")

    monkeypatch.setattr(artifact, "save_file", fail)
    with pytest.raises(OSError, match=r"thing\.safetensors cannot be written: No space left"):
        write_artifact(folder, "thing", {"a": torch.zeros(1)}, {"n": 2})
    assert read(folder)[0] == {"n": 1}
    assert sorted(path.name for path in folder.iterdir()) == ["thing.json", "thing.safetensors"]


def test_no_tensors_at_all(tmp_path):
    write_artifact(tmp_path, "thing", {}, {"n": 2})
    assert read(tmp_path) == ({"n": 2}, {})


@pytest.mark.parametrize("name", ["thing.json", "thing.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ValueError, match=rf"{name} is missing.*make it again"):
        read(folder)


def test_every_flipped_byte_of_the_tensors_is_found(folder):
    path = folder / "thing.safetensors"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"thing\.safetensors.*damaged"):
            read(folder)


def test_every_changed_digit_of_the_description_is_found(folder):
    path = folder / "thing.json"
    whole = path.read_bytes()
    for place in (i for i, byte in enumerate(whole) if chr(byte).isalnum()):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"thing\.json"):
            read(folder)


def test_another_version(folder):
    path = folder / "thing.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": SCHEMA + 1}))
    with pytest.raises(
        ValueError, match=rf"thing\.json is of version {SCHEMA + 1}; this drumlin reads version {SCHEMA}"
    ):
        read(folder)


@pytest.mark.parametrize("text", ["[]", "{}", "3"])
def test_json_of_something_else(folder, text):
    (folder / "thing.json").write_text(text)
    with pytest.raises(ValueError, match=r"thing\.json is not drumlin's, .*; make it again"):
        read(folder)


def test_new_tensors_with_an_old_description_are_refused(folder, tmp_path):
    old = (folder / "thing.json").read_bytes()
    write_artifact(folder, "thing", {"a": torch.zeros(1)}, {"n": 1})
    (folder / "thing.json").write_bytes(old)  # as after a crash between the two files
    with pytest.raises(ValueError, match=r"not the file that thing\.json describes"):
        read(folder)
