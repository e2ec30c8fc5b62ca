import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from drumlin._io import sealed
from drumlin.data import Images
from drumlin.settings.run import RunSettings
from drumlin.training import Run, read_config
from drumlin.training.runs import Split, normalisation, write_config, write_split

Small = Callable[..., RunSettings]


@pytest.fixture
def config(small: Small, tmp_path: Path) -> Path:
    write_config(tmp_path, small())
    return tmp_path / "config.json"


def rewrite(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(sealed(values)))


@pytest.mark.parametrize("head", ["softmax", "gm", "lgm"])
def test_settings_come_back_as_they_were(small: Small, tmp_path: Path, head: str) -> None:
    settings = small(
        head, optimizer={"name": "AdamW", "options": {"eps": 1e-6}}, schedule={"name": "step", "milestones": (0.3, 0.6)}
    )
    write_config(tmp_path, settings)
    read = read_config(tmp_path)
    assert read.to_json() == settings.to_json()
    assert (read.head, read.backbone, read.training) == (settings.head, settings.backbone, settings.training)


def test_fields_that_came_later_come_back_and_old_configurations_lack_them(small: Small, tmp_path: Path) -> None:
    settings = small("softmax", schedule={"name": "exponential", "period": 0.05})
    bare = dataclasses.replace(settings.backbone, linear=False, feature_dim=256)
    settings = dataclasses.replace(settings, backbone=bare)
    write_config(tmp_path, settings)
    assert read_config(tmp_path).backbone == bare
    assert read_config(tmp_path).training.schedule == settings.training.schedule
    rewrite(tmp_path / "config.json", lambda v: (v["training"]["schedule"].pop("period"), v["backbone"].pop("linear")))
    assert read_config(tmp_path).backbone.linear
    assert read_config(tmp_path).training.schedule.period == 0.25


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is not a run \(no config.json\): give the folder that"):
        read_config(tmp_path)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match=r"file is not a run"):
        read_config(file)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v.update(schema=2), r"config\.json is of version 2; this drumlin reads version 1"),
        (lambda v: v.pop("schema"), r"config\.json is not drumlin's"),
        (lambda v: v.pop("seed"), r"config\.json does not describe a run of this version: 'seed' is missing"),
        (lambda v: v["training"].update(speed=1), r"config\.json does not describe .* 'speed'"),
        (lambda v: v["head"].update(name="gmm"), r"config\.json does not describe .* unknown head 'gmm'"),
        (
            lambda v: v["head"].update(colour=1),
            r"config\.json does not describe .* unknown setting of head 'gm' 'colour'",
        ),
        (
            lambda v: v["training"].update(epochs=0),
            r"config\.json does not describe .* epochs must be at least 1, got 0",
        ),
        (lambda v: v["data"].update(augment=3), r"config\.json does not describe"),
    ],
)
def test_configurations_of_another_kind(config: Path, change: Callable[[Any], Any], message: str) -> None:
    rewrite(config, change)
    with pytest.raises(ValueError, match=message):
        read_config(config.parent)


def test_a_configuration_changed_by_hand(config: Path) -> None:
    config.write_text(config.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(ValueError, match=r"config\.json is damaged or was changed by hand"):
        read_config(config.parent)


@pytest.mark.parametrize("text", ["[1, 2]", "3", "null", "{}", '{"schema": "https://a.b"}'])
def test_json_that_is_no_configuration(config: Path, text: str) -> None:
    config.write_text(text)
    with pytest.raises(ValueError, match=r"config\.json is not drumlin's"):
        read_config(config.parent)


def test_a_torn_configuration(config: Path) -> None:
    config.write_text(config.read_text()[:50])
    with pytest.raises(ValueError, match=r"config\.json: not valid JSON"):
        read_config(config.parent)


def test_an_unfinished_run_says_how_to_go_on(config: Path) -> None:
    run = Run(config.parent)
    assert not run.finished
    with pytest.raises(ValueError, match=r"has not finished: go on with `drumlin train --out .* --resume`"):
        run.require_finished()
    with pytest.raises(ValueError, match="has not finished"):
        _ = run.classifier


def test_a_run_without_its_split(config: Path) -> None:
    with pytest.raises(ValueError, match=r"does not say which samples it held out \(no split.safetensors\)"):
        _ = Run(config.parent).split


def test_the_split_comes_back(tmp_path: Path) -> None:
    write_split(tmp_path, Split(torch.tensor([0, 2]), torch.tensor([1]), "abc"))
    split = Run(tmp_path).split
    assert (split.train.tolist(), split.holdout.tolist(), split.fingerprint) == ([0, 2], [1], "abc")


def test_a_run_finds_its_data_where_it_is_told(config: Path, tmp_path: Path) -> None:
    here, there = Run(tmp_path, root="a", download=True), Run(tmp_path, root="b")
    assert (here.settings.data.root, here.settings.data.download) == ("a", True)
    assert here.identity == there.identity  # the same run, wherever its data lies


def images(pixels: torch.Tensor) -> Images:
    return Images(
        pixels=pixels, labels=torch.arange(len(pixels)) % 2, class_names=("a", "b"), name="made", split="train"
    )


def test_normalisation_by_hand() -> None:
    pixels = torch.zeros(2, 3, 1, 2, dtype=torch.uint8)
    pixels[:, 0] = torch.tensor([[[0, 255]], [[255, 0]]])  # mean ½, deviation ½
    pixels[:, 1] = 51  # never varies
    mean, std = normalisation(images(pixels))
    assert mean == pytest.approx((0.5, 0.2, 0))
    assert std == pytest.approx((0.5, 1, 1))


def test_normalisation_of_a_sample_is_spread_over_the_set() -> None:
    pixels = torch.arange(100, dtype=torch.uint8).view(100, 1, 1, 1).expand(100, 1, 2, 2).contiguous()
    mean, _ = normalisation(images(pixels), sample=11)
    assert mean[0] == pytest.approx(49.5 / 255, abs=0.3 / 255)


def data_folder(place: Path) -> str:
    from PIL import Image

    generator = torch.Generator().manual_seed(0)
    for k, name in enumerate("ab"):
        (place / name).mkdir(parents=True)
        for i in range(20):
            pixels = torch.randint(0, 100, (8, 8), generator=generator) + 100 * k
            Image.fromarray(pixels.to(torch.uint8).numpy()).save(place / name / f"{i}.png")
    return f"folder:{place}"


def test_data_that_has_changed_since_is_not_calibrated_on(small: Small, tmp_path: Path) -> None:
    from PIL import Image

    from drumlin.training import train

    name = data_folder(tmp_path / "data")
    settings = small("softmax", name, epochs=1, batch_size=8, data_fields={"root": str(tmp_path)})
    train(settings, tmp_path / "run")
    assert len(Run(tmp_path / "run", root=str(tmp_path)).holdout_images()) > 0
    Image.new("L", (8, 8), 77).save(tmp_path / "data" / "b" / "new.png")
    run = Run(tmp_path / "run", root=str(tmp_path))
    for use in (run.holdout_images, run.train_images):
        with pytest.raises(ValueError, match=r"is not what this run was trained on \(its content has changed\)"):
            use()


def test_a_class_without_a_training_image_is_named(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drumlin.training import train

    pixels = torch.zeros(10, 1, 8, 8, dtype=torch.uint8)
    made = Images(pixels=pixels, labels=torch.arange(10) % 2, class_names=("a", "b", "c"), name="made", split="train")
    monkeypatch.setattr("drumlin.training.loop.load_for", lambda *arguments: made)
    with pytest.raises(ValueError, match=r"data 'made' has no training image of c: add some, or drop the class"):
        train(small(), tmp_path / "run")
