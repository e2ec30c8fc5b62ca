import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from drumlin._tensors import read_tensors
from drumlin.detectors import detectors_for
from drumlin.model import Classifier
from drumlin.results import read, select
from drumlin.training import Run, train

pytestmark = pytest.mark.slow
Copy = Callable[[str], Path]
Drumlin = Callable[..., Any]
Refused = Callable[..., str]


def on_map(run: Path) -> dict[str, int]:
    """Return the sets on a run's map, and their kinds."""
    arrays, _ = read_tensors(run / "arrays" / "map.safetensors")
    return {key.removeprefix("kind/"): int(value) for key, value in arrays.items() if key.startswith("kind/")}


def scores(run: Path) -> dict[str, torch.Tensor]:
    return read_tensors(run / "arrays" / "detection.safetensors")[0]


@pytest.mark.parametrize("head", ["softmax", "gm"])
def test_evaluate(drumlin: Drumlin, copied: Copy, head: str) -> None:
    run = copied(head)
    outcome = drumlin("evaluate", run)
    assert outcome.code == 0, outcome.err
    for metric in ("error", "top5-error", "ece", "nll", "mean-distance", "intra-class-spread"):
        assert f"\n{metric} " in outcome.out or f"  {metric} " in outcome.out
    assert ("T eq. 16" in outcome.out) == (head == "gm")  # the optimum beside the measured distance
    records = read(run / "results.jsonl")
    assert {record.task for record in records} == {"classification", "geometry"}
    (error,) = select(records, metric="error")
    assert f"{100 * error.value:.2f}%" in outcome.out
    assert (run / "arrays" / "classification.safetensors").is_file()
    assert on_map(run) == {"training": 0, "test": 1}


def test_detect(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("gm")
    sets = ("noise", "inverted", "digits:8,9")
    outcome = drumlin("detect", run, "--ood", *sets, "--attack", "fgsm", "--attack.epsilon", 0.2)
    assert outcome.code == 0, outcome.err
    records = read(run / "results.jsonl")
    assert {r.anomaly for r in records} == {*sets, "fgsm(epsilon=0.2)"}
    success = select(records, task="robustness")
    assert {"error", "success", "distortion", "zero-gradient"} < {r.metric for r in success}
    assert {r.anomaly for r in success} == {"fgsm(epsilon=0.2)"}
    records = select(records, task="detection")
    assert {r.protocol for r in records} == {"all-test-samples"}
    detectors = {r.detector for r in records}
    assert detectors == set(detectors_for(Run(run).classifier.head))
    assert {"mixture-density", "k-density", "mahalanobis", "k-nn", "vim", "gda"} < detectors
    (auroc,) = select(records, detector="msp", anomaly="noise", metric="auroc")
    line = next(line for line in outcome.out.splitlines() if line.startswith("msp") and "noise" in line)
    assert f"{100 * auroc.value:.2f}%" in line
    # not calibrated: nothing on refusals
    assert len(outcome.out.splitlines()) == 1 + len(detectors) * 4 + 1 + 1 + len(success)
    assert on_map(run) == {"test": 1, **dict.fromkeys(sets, 2), "fgsm(epsilon=0.2)": 3}
    assert drumlin("evaluate", run).code == 0
    assert on_map(run).keys() == {"training", "test", *sets, "fgsm(epsilon=0.2)"}


def test_detect_says_that_a_model_has_not_learnt_its_classes(drumlin: Drumlin, small: Any, tmp_path: Path) -> None:
    run = tmp_path / "unlearnt"
    train(small("softmax", "digits:0-7", epochs=1, optimizer={"lr": 1e-9}), run)
    outcome = drumlin("detect", run, "--ood", "noise", "--detectors", "msp")
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1].startswith("The model errs on ")


def test_detect_with_chosen_detectors_and_part_of_the_images(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("softmax")
    outcome = drumlin("detect", run, "--attack=fgsm", "--limit", 30, "--detectors", "msp", "energy")
    assert outcome.code == 0, outcome.err
    records = select(read(run / "results.jsonl"), task="detection")
    assert {(r.detector, r.anomaly) for r in records} == {(d, "fgsm(epsilon=0.1)[:30]") for d in ("msp", "energy")}
    success = select(read(run / "results.jsonl"), task="robustness")
    assert {(r.anomaly, r.protocol) for r in success} == {("fgsm(epsilon=0.1)[:30]", "first-30-test-samples")}
    assert on_map(run) == {"test": 1, "fgsm(epsilon=0.1)[:30]": 3}
    assert len(scores(run)["msp/fgsm(epsilon=0.1)[:30]"]) == 30


def test_detect_says_what_a_calibrated_run_refuses(drumlin: Drumlin, calibrated: Path) -> None:
    outcome = drumlin("detect", calibrated, "--ood", "noise", "--detectors", "msp")
    assert outcome.code == 0, outcome.err
    refusals = select(read(calibrated / "results.jsonl"), task="refusal")
    assert [(r.anomaly, r.detector, r.protocol) for r in refusals] == [
        ("test", "msp", "false-alarm=0.05"),
        ("noise", "msp", "false-alarm=0.05"),
    ]
    assert "rate asked for" in outcome.out


def test_a_calibrated_run_always_has_the_scores_it_refuses_by(drumlin: Drumlin, calibrated: Path) -> None:
    assert scores(calibrated).keys() == {"msp/test"}  # from calibrating
    assert drumlin("detect", calibrated, "--ood", "noise", "--detectors", "energy").code == 0
    assert scores(calibrated).keys() == {"msp/test", "msp/noise", "energy/test", "energy/noise"}
    outcome = drumlin("attack", calibrated, "--limit", 40)
    assert outcome.code == 0, outcome.err
    attacked = "fgsm(epsilon=0.1)[:40]"
    assert len(scores(calibrated)[f"msp/{attacked}"]) == 40
    assert on_map(calibrated) == {"test": 1, "noise": 2, attacked: 3}
    (caught,) = select(read(calibrated / "results.jsonl"), task="refusal", anomaly=attacked)
    assert f"{100 * caught.value:.2f}%" in outcome.out
    assert drumlin("report", calibrated).code == 0
    assert f"the images attacked by {attacked} (which fools it in " in (calibrated / "report.html").read_text()
    # they are the scores the predictor itself gives
    from drumlin.data import load
    from drumlin.refusal import load as load_predictor

    given = load_predictor(calibrated).predict(load("digits:0-7", "test").float()).score
    assert torch.allclose(scores(calibrated)["msp/test"], given, atol=1e-6)


def test_calibrating_measures_the_false_alarms(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("gm")
    outcome = drumlin("calibrate", run, "--false-alarm", 0.05)
    (record,) = read(run / "results.jsonl")
    assert (record.task, record.metric, record.anomaly) == ("refusal", "refused", "test")
    assert (record.detector, record.protocol) == ("k-density", "false-alarm=0.05")
    assert f"{100 * record.value:.2f}%" in outcome.out
    assert on_map(run) == {"test": 1}
    drumlin("calibrate", run, "--false-alarm", 0.1, "--detector", "energy")
    assert scores(run).keys() == {"k-density/test", "energy/test"}


def test_without_test_images_a_run_is_calibrated_all_the_same(
    drumlin: Drumlin, refused: Refused, copied: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(self: Run) -> None:
        raise ValueError("data 'digits:0-7' has no test split")

    monkeypatch.setattr(Run, "test_images", gone)
    run = copied("softmax")
    outcome = drumlin("calibrate", run, "--false-alarm", 0.05)
    assert outcome.code == 0
    assert (run / "calibration.json").is_file()
    assert not (run / "results.jsonl").exists()
    assert outcome.err == "its false alarms on test images are not measured: data 'digits:0-7' has no test split\n"
    assert "has no test split" in refused("evaluate", run)


def test_attack(drumlin: Drumlin, copied: Copy) -> None:
    run = copied("softmax")
    assert drumlin("attack", run, "--attack.epsilon", 0.2).code == 0
    outcome = drumlin("attack", run, "--attack.epsilon", 0, "--attack", "fgsm")
    assert outcome.code == 0, outcome.err
    records = read(run / "results.jsonl")
    strong, none = (
        select(records, metric="error", anomaly=f"fgsm(epsilon={epsilon})")[0].value for epsilon in (0.2, 0.0)
    )
    assert strong > none


def test_calibrate_then_predict(drumlin: Drumlin, refused: Refused, copied: Copy, digit_files: Path) -> None:
    run = copied("gm")
    assert "not calibrated" in refused("predict", run, digit_files)
    assert "drumlin calibrate RUN --false-alarm 0.01" in refused("predict", run, digit_files)
    outcome = drumlin("calibrate", run, "--false-alarm", 0.05)
    assert outcome.code == 0, outcome.err
    assert "k-density" in outcome.out
    assert "5.00% false alarms" in outcome.out
    assert drumlin("predict", run, digit_files).code == 0


def test_predict_as_table_json_and_csv_say_the_same(drumlin: Drumlin, calibrated: Path, digit_files: Path) -> None:
    table, as_json, as_csv = (
        drumlin("predict", calibrated, digit_files, *words) for words in ((), ("--json",), ("--csv",))
    )
    assert (table.code, as_json.code, as_csv.code) == (0, 0, 0)
    answers = json.loads(as_json.out)
    assert [Path(answer["image"]).name[0] for answer in answers] == list("012345")  # in order, both folders
    right = sum(Path(answer["image"]).stem[-1] == answer["class"] for answer in answers)
    assert right >= 5
    for answer in answers:
        assert answer.keys() == {"image", "class", "probability", "p_value", "accepted"}
        assert 0 < answer["probability"] <= 1
        assert 0 < answer["p_value"] <= 1
        assert answer["accepted"] is (answer["p_value"] > 0.05)
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert [{key: str(value) for key, value in answer.items()} for answer in answers] == rows
    lines = table.out.splitlines()
    assert len(lines) == 7
    for answer, line in zip(answers, lines[1:], strict=True):
        assert line.startswith(answer["image"])
        assert line.endswith("accepted" if answer["accepted"] else "REFUSED")
        assert f"{answer['probability']:.4f}" in line


def test_predict_one_file_gives_what_the_library_gives(drumlin: Drumlin, calibrated: Path, digit_files: Path) -> None:
    import drumlin as package
    from drumlin.data import load

    (file,) = (digit_files / "a").glob("0-*")
    (answer,) = json.loads(drumlin("predict", calibrated, file, "--json").out)
    expected = package.load(calibrated).predict(load("digits:0-7", "test").float(slice(0, 1)))
    assert answer["class"] == expected.names[0]
    assert answer["probability"] == pytest.approx(float(expected.probability[0]), rel=1e-6)
    assert answer["p_value"] == pytest.approx(float(expected.p_value[0]))


@pytest.mark.parametrize(
    ("mode", "size"), [("RGB", (31, 17)), ("RGBA", (8, 8)), ("P", (5, 9)), ("1", (8, 8)), ("I;16", (9, 9))]
)
def test_predict_images_of_another_size_and_mode(
    drumlin: Drumlin, calibrated: Path, tmp_path: Path, mode: str, size: tuple[int, int]
) -> None:
    from PIL import Image

    Image.new(mode, size).save(tmp_path / "other.png")
    outcome = drumlin("predict", calibrated, tmp_path / "other.png", "--json")
    assert outcome.code == 0, outcome.err
    assert len(json.loads(outcome.out)) == 1


def test_predict_names_what_it_cannot_read(
    refused: Refused, calibrated: Path, digit_files: Path, tmp_path: Path
) -> None:
    (file,) = (digit_files / "a").glob("0-*")
    torn = tmp_path / "torn.png"
    torn.write_bytes(file.read_bytes()[:60])
    assert "decoded" in refused("predict", calibrated, torn)
    assert f"{torn} cannot be decoded" in refused("predict", calibrated, torn, torn)
    assert "(and 1 more)" in refused("predict", calibrated, torn, torn, "--json")
    (tmp_path / "empty").mkdir()
    assert "empty holds no images" in refused("predict", calibrated, tmp_path / "empty")
    assert "nosuch.png does not exist" in refused("predict", calibrated, tmp_path / "nosuch.png")
    assert "no images" in refused("predict", calibrated)
    assert "--json and --csv exclude each other" in refused("predict", calibrated, file, "--json", "--csv")


def test_predict_answers_for_the_others_where_a_file_cannot_be_read(
    drumlin: Drumlin, calibrated: Path, digit_files: Path, tmp_path: Path
) -> None:
    first, last = sorted((digit_files / "a").glob("*"))[:2]
    torn, text = tmp_path / "torn.png", tmp_path / "text, with a comma.png"
    torn.write_bytes(first.read_bytes()[:60])
    text.write_text("no image")
    words = ("predict", calibrated, first, torn, text, last)
    table, as_json, as_csv = (drumlin(*words, *more) for more in ((), ("--json",), ("--csv",)))
    whole = json.loads(drumlin("predict", calibrated, first, last, "--json").out)
    for outcome in (table, as_json, as_csv):
        assert outcome.code == 2
        errors = outcome.err.splitlines()
        assert len(errors) == 2
        assert errors[0].startswith(f"drumlin: image {torn} cannot be decoded")
        assert errors[1].startswith(f"drumlin: image {text} cannot be decoded")
    answers = json.loads(as_json.out)
    assert [answers[0], answers[3]] == whole
    assert answers[1].keys() == {"image", "error"}
    assert (answers[1]["image"], answers[2]["image"]) == (str(torn), str(text))
    assert str(torn) in answers[1]["error"]
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert list(rows[0]) == ["image", "class", "probability", "p_value", "accepted", "error"]
    assert [row["class"] for row in rows] == [whole[0]["class"], "", "", whole[1]["class"]]
    assert [bool(row["error"]) for row in rows] == [False, True, True, False]
    lines = table.out.splitlines()
    assert [line.split()[-1] for line in lines[1:]] == [
        "accepted" if whole[0]["accepted"] else "REFUSED",
        "unreadable",
        "unreadable",
        "accepted" if whole[1]["accepted"] else "REFUSED",
    ]


def test_an_unfinished_run_says_how_to_go_on(refused: Refused, copied: Copy, digit_files: Path) -> None:
    run = copied("softmax")
    (run / "model.json").unlink()
    commands = ("evaluate", "attack", "calibrate"), ("detect", "predict")
    for command in commands[0]:
        assert f"go on with `drumlin train --out {run} --resume`" in refused(command, run)
    assert "has not finished" in refused("detect", run, "--ood", "noise")
    assert "has not finished" in refused("predict", run, digit_files)


@pytest.mark.parametrize("command", ["evaluate", "attack", "calibrate", "detect", "predict"])
def test_what_is_no_run(refused: Refused, tmp_path: Path, digit_files: Path, command: str) -> None:
    more = {"detect": ("--ood", "noise"), "predict": (digit_files,)}.get(command, ())
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "nosuch", tmp_path, tmp_path / "file"):
        message = refused(command, place, *more)
        assert "no config.json" in message or "no model.json" in message
        assert str(place) in message


def test_what_a_user_can_get_wrong(refused: Refused, copied: Copy, tmp_path: Path) -> None:
    run = copied("softmax")
    (tmp_path / "empty").mkdir()
    assert "name sets with --ood" in refused("detect", run)
    assert "unknown out-of-distribution set 'nois'" in refused("detect", run, "--ood", "nois")
    assert "--limit and --target say how to attack" in refused("detect", run, "--ood", "noise", "--limit", "3")
    assert "--attack.score-weight acts on" in refused("attack", run, "--attack.score-weight", "2")
    assert "empty" in refused("detect", run, "--ood", f"folder:{tmp_path / 'empty'}")
    message = refused("detect", run, "--ood", "noise", "--detectors", "mps")
    assert "unknown detector for this head 'mps': did you mean 'msp'" in message
    message = refused("detect", run, "--ood", "noise", "--detectors", "mixture-density")
    assert "unknown detector for this head 'mixture-density'" in message
    assert "unknown attack 'fsgm': did you mean 'fgsm'" in refused("attack", run, "--attack", "fsgm")
    assert "epsilon must lie in [0, 1], got 2.0" in refused("attack", run, "--attack.epsilon", 2)
    assert "has no such argument with --attack fgsm" in refused("attack", run, "--attack.steps", 2)
    assert "leaves nothing to do" in refused("attack", run, "--attack", "none")
    assert "without --attack" in refused("detect", run, "--ood", "noise", "--attack.epsilon", 0.1)
    assert "limit must be at least 1" in refused("attack", run, "--limit", 0)
    assert "strictly between 0 and 1" in refused("calibrate", run, "--false-alarm", 0)
    assert "strictly between 0 and 1" in refused("calibrate", run, "--false-alarm", 1)
    assert "needs at least 9999 held-out scores" in refused("calibrate", run, "--false-alarm", 0.0001)
    assert "unknown detector for this head" in refused("calibrate", run, "--detector", "kdensity")
    assert not (run / "calibration.json").exists()
    assert not (run / "results.jsonl").exists()


@pytest.mark.parametrize("file", ["config.json", "model.json", "calibration.json"])
def test_artifacts_of_another_version(refused: Refused, calibrated: Path, digit_files: Path, file: str) -> None:
    path = calibrated / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 99}))
    words = ("evaluate", calibrated) if file == "config.json" else ("predict", calibrated, digit_files)
    message = refused(*words)
    assert f"{file} is of version 99; this drumlin reads version 1" in message


@pytest.mark.parametrize("command", ["evaluate", "report"])
def test_a_folder_of_another_program(refused: Refused, tmp_path: Path, command: str) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "model.json").write_text("{}")
    message = refused(command, tmp_path)
    assert f"{tmp_path / 'config.json'} is not drumlin's" in message
    assert "give a folder that drumlin wrote" in message


@pytest.mark.parametrize(
    "file", ["model.safetensors", "calibration.safetensors", "detector.safetensors", "detector.json"]
)
def test_flipped_bytes_in_artifacts(refused: Refused, calibrated: Path, digit_files: Path, file: str) -> None:
    path = calibrated / file
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(bytes(data))
    assert file in refused("predict", calibrated, digit_files)


def test_backbones(drumlin: Drumlin, refused: Refused) -> None:
    assert "torchvision:MODEL" in drumlin("backbones").out
    assert "--backbone.shortcut" in drumlin("backbones", "resnet-20").out
    assert "--backbone.pretrained" in drumlin("backbones", "timm:resnet50").out
    assert "unknown backbone 'resnet'" in refused("backbones", "resnet")


def test_datasets(drumlin: Drumlin, refused: Refused, tmp_path: Path) -> None:
    outcome = drumlin("datasets", "--data-root", tmp_path)
    assert f"data root: {tmp_path}" in outcome.out
    lines = {line.split(" ")[0]: line for line in outcome.out.splitlines() if line}
    assert "train, test" in lines["digits"]
    assert " no " in lines["mnist"]
    assert "to get" not in outcome.out
    assert (
        "to get mnist: drumlin datasets mnist --download" in drumlin("datasets", "mnist", "--data-root", tmp_path).out
    )
    assert "to get lfw: get lfw-deepfunneled.tgz" in drumlin("datasets", "lfw", "--data-root", tmp_path).out
    digits = drumlin("datasets", "digits").out
    assert "cifar10" not in digits
    assert "to get" not in digits
    assert "unknown data set 'mnis': did you mean" in refused("datasets", "mnis")
    assert "--download needs the name of a data set" in refused("datasets", "--download")
    assert "digits: 1797 images" in drumlin("datasets", "digits", "--download", "--data-root", tmp_path).out


def test_data_that_is_not_there_says_how_to_get_it(refused: Refused, tmp_path: Path) -> None:
    message = refused("train", "--data", "mnist", "--data-root", tmp_path, "--out", tmp_path / "run")
    assert "drumlin datasets mnist --download" in message


def test_detect_with_hidden_layers_and_a_regression(drumlin: Drumlin, refused: Refused, copied: Copy) -> None:
    run = copied("softmax")
    words = ("detect", run, "--attack", "bim", "--limit", 40, "--detectors", "lid", "i-defender", "msp")
    outcome = drumlin(*words, "--fit-on", "noise")
    assert outcome.code == 0, outcome.err
    protocols = {r.detector: r.protocol for r in select(read(run / "results.jsonl"), metric="auroc")}
    plain = "all-test-samples"
    assert protocols == {"lid": f"{plain}, fitted to noise(l2=0.1)", "i-defender": plain, "msp": plain}
    message = refused("detect", run, "--ood", "noise", "--detectors", "k-density-uncertainty")
    assert "needs a network with dropout" in message
    assert refused("detect", run, "--ood", "noise", "--fit-on", "fgms").startswith("unknown attack 'fgms'")


def test_a_run_can_refuse_by_hidden_layers(drumlin: Drumlin, refused: Refused, copied: Copy, tmp_path: Path) -> None:
    run = copied("softmax")
    assert drumlin("calibrate", run, "--detector", "i-defender", "--false-alarm", 0.05).code == 0
    outcome = drumlin("detect", run, "--ood", "noise", "--detectors", "msp", "--attack", "fgsm", "--limit", 20)
    assert outcome.code == 0, outcome.err
    refusals = select(read(run / "results.jsonl"), task="refusal", detector="i-defender")
    assert {r.anomaly for r in refusals} == {"test", "noise", "fgsm(epsilon=0.1)[:20]"}
    outcome = drumlin("attack", run, "--attack", "fgsm", "--limit", 5)
    assert outcome.code == 0
    (safe,) = select(
        read(run / "results.jsonl"), task="safety", metric="right-or-refused", anomaly="fgsm(epsilon=0.1)[:5]"
    )
    assert safe.n == 5
    line = next(line for line in outcome.out.splitlines() if "right-or-refused" in line and "fgsm" in line)
    assert f"{100 * safe.value:.2f}" in line
    assert "for this head" in refused("calibrate", run, "--detector", "lid")


def test_every_command_computes_where_it_is_told_to(
    drumlin: Drumlin, copied: Copy, elsewhere: torch.device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: set[torch.device] = set()
    features = Classifier.features

    def watched(self: Classifier, x: torch.Tensor) -> torch.Tensor:
        z = features(self, x)
        seen.add(z.device)
        return z

    here, photo = copied("gm"), tmp_path / "photo.png"
    there = Path(shutil.copytree(here, tmp_path / "there"))
    Image.new("L", (8, 8), 128).save(photo)
    commands: list[tuple[str, ...]] = [
        ("evaluate", "--neighbours", "--clusters", "--crops", "10", "--margin", "2"),
        ("calibrate", "--false-alarm", "0.05"),
        ("detect", "--ood", "noise", "--attack", "fgsm"),
        ("attack", "--attack", "pgd", "--limit", "20", "--against", "k-density"),
        ("predict", str(photo)),
    ]
    for command, *words in commands:
        assert drumlin(command, here, *words, "--device", "cpu").code == 0
        with monkeypatch.context() as patch:
            patch.setattr(Classifier, "features", watched)
            seen.clear()
            outcome = drumlin(command, there, *words, "--device", "elsewhere")
        assert outcome.code == 0, outcome.err
        assert seen == {elsewhere}, command
    found, expected = ({r.key: r.value for r in read(run / "results.jsonl")} for run in (there, here))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == (None if value is None else pytest.approx(value, rel=1e-3, abs=1e-3)), key


@pytest.mark.parametrize("command", ["evaluate", "calibrate", "detect", "attack", "predict"])
def test_a_device_that_is_not_there(refused: Refused, calibrated: Path, command: str) -> None:
    more = {"detect": ["--ood", "noise"], "predict": [calibrated]}.get(command, [])
    assert refused(command, calibrated, *more, "--device", "nosuch").startswith("device 'nosuch' cannot be used: ")
