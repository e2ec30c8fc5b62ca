import json
from pathlib import Path

import numpy as np
import pytest
import torch

from drumlin import _io
from drumlin._tensors import read_tensors, write_tensors
from drumlin.detectors import artifact
from drumlin.model import description
from drumlin.report.contents import Kind
from drumlin.report.reading import VERSIONS, read_run
from drumlin.tasks import shown
from drumlin.training import runs


def _reseal(path: Path, **changes: object) -> None:
    _io.write_json(path, _io.sealed(_io.read_json(path) | changes))


def test_versions_and_kinds_are_those_that_are_written() -> None:
    written = {"config.json": runs.CONFIG_SCHEMA, "model.json": description.SCHEMA, "calibration.json": artifact.SCHEMA}
    assert written == VERSIONS
    assert [int(kind) for kind in shown.Kind] == [int(kind) for kind in Kind]


def test_a_whole_run_comes_back_as_it_was_written(run_writer) -> None:
    writer = run_writer()
    run = writer.contents()
    assert (run.name, run.data, run.head, run.class_names) == ("run", "digits", "gm", ("cat", "dog", "owl"))
    assert run.calibration is not None
    assert (run.calibration.detector, run.calibration.false_alarm, len(run.calibration.scores)) == (
        "k-density",
        0.1,
        99,
    )
    assert [epoch["epoch"] for epoch in run.epochs] == [1, 2, 3]
    np.testing.assert_array_equal(run.scores["msp"]["folder:a/b"], writer.scores["msp/folder:a/b"])


def test_a_set_whose_name_has_slashes_is_one_set(run_writer) -> None:
    run = run_writer().contents()
    assert run.anomalies == ["folder:a/b", "noise", "fgsm(epsilon=0.1)"]
    assert run.map is not None
    assert [(points.name, points.kind) for points in run.map.sets] == [
        ("training", Kind.TRAINING),
        ("test", Kind.TEST),
        ("folder:a/b", Kind.UNKNOWN),
        ("noise", Kind.UNKNOWN),
        ("fgsm(epsilon=0.1)", Kind.ATTACKED),
    ]


def test_thumbnails_have_their_channels_last(run_writer) -> None:
    writer = run_writer()
    writer.size, writer.channels = (4, 6), 3
    folder = writer.write()
    stored = read_tensors(folder / "arrays" / "map.safetensors")[0]["thumbnail/noise"].numpy()
    points = next(points for points in read_run(folder).map.sets if points.name == "noise")
    assert points.thumbnails.shape == (40, 4, 6, 3)
    assert points.thumbnails[7, 3, 5, 2] == stored[7, 2, 3, 5]


def test_what_was_not_measured_is_empty(run_writer) -> None:
    run = run_writer().contents(frozenset())
    assert (run.calibration, run.confusion, run.distances, run.map, run.scores, run.records) == (
        None,
        None,
        None,
        None,
        {},
        (),
    )


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"is not a run \(no config.json\): give the folder that `drumlin train --out` wrote"
    ):
        read_run(tmp_path)


def test_an_unfinished_run_says_how_to_go_on(run_writer) -> None:
    folder = run_writer("my run").write()
    (folder / "model.json").unlink()
    with pytest.raises(ValueError, match=r"has not finished: go on with `drumlin train --out '.*my run' --resume`"):
        read_run(folder)


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_a_file_of_another_version(run_writer, name: str) -> None:
    folder = run_writer().write()
    _reseal(folder / name, schema=99)
    with pytest.raises(ValueError, match=rf"{name} is of version 99; this drumlin reads version 1"):
        read_run(folder)


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_a_file_that_was_changed_by_hand(run_writer, name: str) -> None:
    folder = run_writer().write()
    _io.write_json(folder / name, _io.read_json(folder / name) | {"more": 1})
    with pytest.raises(ValueError, match=rf"{name} is damaged or was changed by hand"):
        read_run(folder)


def test_a_configuration_that_is_no_object(run_writer) -> None:
    folder = run_writer().write()
    (folder / "config.json").write_text("[]")
    with pytest.raises(ValueError, match=r"config\.json is not drumlin's"):
        read_run(folder)


def test_a_configuration_without_a_head(run_writer) -> None:
    folder = run_writer().write()
    _reseal(folder / "config.json", head=None)
    with pytest.raises(ValueError, match="does not describe a run of this version: head is missing"):
        read_run(folder)


@pytest.mark.parametrize("change", ["flip", "remove"])
def test_calibration_scores_that_are_damaged_or_gone(run_writer, change: str) -> None:
    folder = run_writer().write()
    path = folder / "calibration.safetensors"
    if change == "flip":
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    with pytest.raises(ValueError, match=r"missing, damaged or not the file .*calibrate again: drumlin calibrate"):
        read_run(folder)


def test_a_calibration_of_no_known_detector(run_writer) -> None:
    folder = run_writer().write()
    _reseal(folder / "calibration.json", origin=None)
    with pytest.raises(ValueError, match="does not say which detector"):
        read_run(folder)


def test_a_damaged_array_is_named(run_writer) -> None:
    folder = run_writer().write()
    path = folder / "arrays" / "detection.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"detection.safetensors is damaged \(its checksum differs\)"):
        read_run(folder)


def test_a_map_that_lacks_a_part(run_writer) -> None:
    folder = run_writer().write()
    path = folder / "arrays" / "map.safetensors"
    tensors = read_tensors(path)[0]
    del tensors["prediction/noise"]
    write_tensors(path, tensors)
    with pytest.raises(ValueError, match=r"map.safetensors is not whole \('noise'\): remove it, and evaluate again"):
        read_run(folder)


def test_arrays_of_another_number_of_classes(run_writer) -> None:
    folder = run_writer().write()
    write_tensors(folder / "arrays" / "classification.safetensors", {"confusion": torch.ones(2, 2, dtype=torch.int64)})
    with pytest.raises(
        ValueError, match="arrays for 2 classes beside a model of 3: evaluate again with `drumlin evaluate"
    ):
        read_run(folder)


def test_a_torn_record_is_left_out_and_said(run_writer) -> None:
    folder = run_writer().write()
    with open(folder / "results.jsonl", "a") as file:
        file.write('{"schema": 1, "run"')
    run = read_run(folder)
    assert len(run.records) == 2
    assert len(run.notes) == 1
    assert "skipped a torn last line" in run.notes[0]


@pytest.mark.parametrize(
    ("line", "message"), [("{", "not JSON"), (json.dumps({"loss": 1}), "every line must be an object")]
)
def test_a_damaged_training_log(run_writer, line: str, message: str) -> None:
    folder = run_writer().write()
    (folder / "training.jsonl").write_text(line + "\n")
    with pytest.raises(ValueError, match=f"training.jsonl.*{message}"):
        read_run(folder)


def test_an_environment_that_is_no_object(run_writer) -> None:
    folder = run_writer().write()
    (folder / "environment.json").write_text("3")
    with pytest.raises(ValueError, match="an object was expected"):
        read_run(folder)
