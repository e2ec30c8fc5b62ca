import dataclasses
import json
import math
import os
import subprocess
import sys
import threading
import warnings

import pytest

from drumlin.results import SCHEMA, Record, append, compare, latest, read, select, table
from drumlin.results import files as files_module


def record(**changes):
    fields = {
        "run": "r",
        "task": "detection",
        "data": "mnist",
        "split": "test",
        "metric": "auroc",
        "unit": "1",
        "value": 0.5,
    }
    return Record(**{**fields, **changes})


FULL = record(
    commit="c",
    recipe="cvpr2018",
    head="lgm",
    backbone="fast-28",
    detector="energy",
    anomaly="fashion-mnist",
    protocol="ŷ, λ=0.1",
    ci_low=0.25,
    ci_high=0.75,
    n=10_000,
    seed=3,
    scale="paper",
    published=0.1 + 0.2,
    published_source="L Table 1",
    environment={"torch": "2.14.1"},
    wall_seconds=1.5,
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "deep" / "results.jsonl"


def test_what_is_read_is_what_was_written(path):
    records = [FULL, record(), record(value=None), record(value=1e-300)]
    append(path, records[:1])
    append(path, iter(records[1:]))
    assert read(path) == records
    assert path.read_bytes().count(b"\n") == 4


def test_nothing_to_append_makes_no_file(path):
    append(path, [])
    assert not path.exists()


def test_every_prefix_of_a_record_is_torn_and_mended(path):
    append(path, [record(value=1.0)])
    whole = path.read_bytes()
    append(path, [record(value=23.0)])
    line = path.read_bytes()[len(whole) :]
    for length in range(1, len(line) - 1):
        path.write_bytes(whole + line[:length])
        with pytest.warns(UserWarning, match=f"skipped a torn last line of {length} bytes"):
            assert [r.value for r in read(path)] == [1.0]
        with pytest.warns(UserWarning, match=f"removed a torn last line of {length} bytes"):
            append(path, [record(value=4.0)])
        assert [r.value for r in read(path)] == [1.0, 4.0]


def test_a_torn_first_line(path):
    path.parent.mkdir()
    path.write_bytes(b'{"schema"')
    with pytest.warns(UserWarning, match="torn"):
        assert read(path) == []
    with pytest.warns(UserWarning, match="torn"):
        append(path, [record()])
    assert read(path) == [record()]


def test_zeros_that_a_crash_left_are_torn_too(path):
    append(path, [record()])
    with open(path, "ab") as file:
        file.write(b"\0" * 100)
    with pytest.warns(UserWarning, match="torn last line of 100 bytes"):
        assert read(path) == [record()]


def test_a_whole_record_that_lacks_its_line_end_is_kept(path):
    append(path, [record(value=1.0)])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read(path)) == 1
        append(path, [record(value=2.0)])
        assert [r.value for r in read(path)] == [1.0, 2.0]


def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch):
    append(path, [record()])
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        append(path, [record(value=2.0)])
    assert path.read_bytes() == before


def test_append_reaches_the_disk(path, monkeypatch):
    sizes = []
    monkeypatch.setattr(files_module.os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    append(path, [record(), record()])
    assert sizes == [path.stat().st_size]


def test_processes_that_append_at_once_wait_for_one_another(path):
    fcntl = pytest.importorskip("fcntl")
    append(path, [record(value=1.0)])
    with open(path, "ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=append, args=(path, [record(value=3.0)]))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        other.write(path.read_bytes().replace(b"1.0", b"2.0"))
        other.flush()
        fcntl.flock(other, fcntl.LOCK_UN)
    thread.join(10)
    assert [r.value for r in read(path)] == [1.0, 2.0, 3.0]


def spoil(path, line, **changes):
    append(path, [record(), record(), record()])
    lines = path.read_text().splitlines()
    values = {**json.loads(lines[line - 1]), **changes}
    lines[line - 1] = json.dumps({key: value for key, value in values.items() if value != "drop"})
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, f"schema 2 is not known, only {SCHEMA}"),
        ({"schema": 2, "colour": 1}, "schema 2 is not known"),
        ({"colour": 1}, "unknown field of a record 'colour'"),
        ({"value": "drop"}, "missing.*'value'"),
        ({"schema": "drop"}, "not a record of drumlin.*delete that line"),
        ({"value": "0.5"}, r"value must be of type float \| None, not '0.5' of type str"),
        ({"value": math.nan}, "value must be finite, not nan"),
    ],
)
def test_a_bad_line_is_named(path, changes, message):
    spoil(path, 2, **changes)
    with pytest.raises(ValueError, match=rf"results\.jsonl:2: .*{message}"):
        read(path)


@pytest.mark.parametrize("line", [1, 2])
def test_a_damaged_line_before_the_last_is_no_torn_one(path, line):
    append(path, [record(), record(), record()])
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line - 1] = lines[line - 1][:20] + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(ValueError, match=f"results.jsonl:{line}: not JSON .*: delete that line, or the file, to go on"):
        read(path)
    del lines[line - 1]
    path.write_bytes(b"".join(lines))
    assert read(path) == [record(), record()]  # as the message says


def test_a_last_line_with_its_line_end_is_no_torn_one(path):
    append(path, [record()])
    with open(path, "ab") as file:
        file.write(b'{"schema": 1\n')
    with pytest.raises(ValueError, match=r"results\.jsonl:2: not JSON"):
        read(path)


def test_no_file(path):
    with pytest.raises(FileNotFoundError):
        read(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": math.nan}, "value must be finite, not nan; a measurement without a number has the value None"),
        ({"value": math.inf}, "value must be finite, not inf"),
        ({"published": -math.inf}, "published must be finite"),
        ({"wall_seconds": math.nan}, "wall_seconds must be finite"),
        ({"value": True}, "value must be of type float"),
        ({"task": None}, "task must be of type str, not None"),
        ({"n": 1.5}, r"n must be of type int \| None, not 1.5"),
        ({"scale": "papr"}, "unknown scale 'papr': did you mean 'paper'"),
        ({"schema": 0}, "schema must be 1, not 0"),
        ({"ci_low": 0.1}, "ci_low and ci_high must be given together"),
        ({"ci_low": 0.2, "ci_high": 0.1}, "ci_low must be at most ci_high, not 0.2 > 0.1"),
        ({"environment": {"torch": 2}}, "environment must map text to text"),
    ],
)
def test_bad_fields_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        record(**changes)


def test_a_key_is_what_is_measured():
    assert FULL.key == ("r", "detection", "energy", "fashion-mnist", "ŷ, λ=0.1", "auroc")


@pytest.mark.parametrize("name", ["run", "task", "detector", "anomaly", "protocol", "metric"])
def test_latest_keeps_what_differs_in_its_key(name):
    other = dataclasses.replace(FULL, **{name: "other"})
    assert latest([FULL, other]) == [FULL, other]


@pytest.mark.parametrize("changes", [{"commit": "d"}, {"value": 0.75}, {"wall_seconds": 9.0}])
def test_latest_drops_what_was_measured_again(changes):
    again = dataclasses.replace(FULL, **changes)
    between = record()
    assert latest([FULL, between, again]) == [between, again]


def test_select_by_value_and_by_members():
    records = [record(seed=0), record(seed=1, head="gm"), record(seed=2, head="softmax")]
    assert select(records, seed=(0, 2)) == [records[0], records[2]]
    assert select(records, head={"gm", None}) == records[:2]
    assert select(records, head="gm", seed=2) == []
    assert select(records) == records
    with pytest.raises(ValueError, match="unknown field of a record 'sead': did you mean 'seed'"):
        select(records, sead=0)


def test_compare():
    better, zero = record(value=0.2, published=0.25), record(value=0.5, published=0.0)
    found = compare([better, zero, record(), record(value=None, published=1.0)])
    assert [(c.record, c.difference, c.relative) for c in found] == [
        (better, pytest.approx(-0.05), pytest.approx(-0.2)),
        (zero, 0.5, None),
    ]
    assert compare([record(value=-1.0, published=-2.0)])[0].relative == 0.5


def test_table_by_hand():
    records = [
        record(head="softmax", anomaly="kmnist", value=0.9, ci_low=0.85, ci_high=0.95, published=0.88),
        record(head="gm", anomaly="kmnist", value=0.97, seed=0, published=0.0),
        record(head="gm", anomaly="kmnist", value=0.99, seed=1, published=0.0),
        record(head="gm", anomaly="a|b", value=None),
        record(head="rce", anomaly="a|b", value=0.5, seed=0),
        record(head="rce", anomaly="a|b", value=None, seed=1),
    ]
    assert table(records, rows=["head", "detector"], columns=["anomaly"], published=True) == "\n".join(
        [
            "| head | detector | kmnist | a\\|b |",
            "| --- | --- | --- | --- |",
            "| softmax | – | 0.90 [0.85, 0.95] (0.88) | – |",
            "| gm | – | 0.98 ± 0.01 (0.00) | – |",
            "| rce | – | – | – |",
        ]
    )
    assert "| 0.900 [0.850, 0.950] |" in table(records[:1], rows=["head"], columns=["anomaly"], digits=3)


def test_table_shows_the_sample_standard_deviation():
    records = [record(head="gm", seed=seed, value=value) for seed, value in enumerate([1.0, 2.0, 3.0])]
    assert "| gm | 2.00 ± 1.00 |" in table(records, rows=["head"], columns=["metric"])


def test_a_table_never_averages_what_is_not_a_repetition():
    with pytest.raises(ValueError, match=r"differ in anomaly \(kmnist, mnist\): select one, or add it"):
        table([record(anomaly="mnist"), record(anomaly="kmnist")], rows=["head"], columns=["metric"])
    with pytest.raises(ValueError, match=r"same seed \(runs r, s\)"):
        table([record(seed=1), record(seed=1, run="s")], rows=["head"], columns=["metric"])


def test_tables_need_fields():
    with pytest.raises(ValueError, match="unknown field of a record 'heads': did you mean 'head'"):
        table([], rows=["heads"], columns=["metric"])
    with pytest.raises(ValueError, match="rows and columns must each name at least one field"):
        table([], rows=[], columns=["metric"])


def test_records_need_neither_torch_nor_numpy():
    code = "import sys, drumlin.results; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
