"""Every head by name: listed with formula and paper, trained with a flag of its own, and without those of others."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from drumlin.settings.heads import HEADS, head_settings

Drumlin = Callable[..., Any]
Refused = Callable[..., str]

FLAGS: dict[str, tuple[str, object]] = {
    "softmax": ("label_smoothing", 0.1),
    "center": ("center_weight", 0.02),
    "contrastive-center": ("delta", 2.0),
    "l-softmax": ("margin", 2),
    "isotropic": ("weight", 0.1),
    "max-mahalanobis": ("norm", 5.0),
    "triplet": ("mining", "hard"),
    "contrastive": ("softmax_weight", 0.0),
    "gm": ("margin", 0.1),
    "lgm": ("min_var", 0.01),
}
"""A setting of each head that has one, and a value that is not its default."""
QUICK = ("--data", "digits:0-2", "--backbone.width", 8, "--epochs", 1, "--quiet")


def test_every_head_with_settings_is_here() -> None:
    assert set(HEADS) - {"rce"} == set(FLAGS)
    for name, (field, value) in FLAGS.items():
        assert getattr(head_settings(name), field) != value


def test_list(drumlin: Drumlin, refused: Refused) -> None:
    listing = drumlin("heads")
    assert listing.code == 0
    entries = {entry.split(" ")[0]: entry for entry in listing.out.split("\n\n")}
    for name, kind in HEADS.items():
        assert f"loss: {kind.formula}\n" in entries[name]
        assert f"paper: {kind.source}\n" in entries[name]
        assert f"loss: {kind.formula}\npaper: {kind.source}\n" in drumlin("heads", name).out
    assert "defaults: weight 0.05" in entries["isotropic"]
    assert "defaults: nothing to set" in entries["rce"]
    for letter in "LTIS":
        assert f"\n{letter}: " in listing.out
    assert "--head.likelihood-weight  0.1" in drumlin("heads", "gm").out
    assert "\nnothing to set\n" in drumlin("heads", "rce").out
    assert "unknown head 'gmm'" in refused("heads", "gmm")


@pytest.mark.slow
@pytest.mark.parametrize("name", HEADS)
def test_trains_and_is_read_again(drumlin: Drumlin, tmp_path: Path, name: str) -> None:
    from drumlin.training import Run

    words: tuple[object, ...] = ()
    if name in FLAGS:
        field, value = FLAGS[name]
        words = (f"--head.{field.replace('_', '-')}", value)
    outcome = drumlin("train", *QUICK, "--head", name, *words, "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    stored = json.loads((tmp_path / "run" / "config.json").read_text())["head"]
    assert stored["name"] == name
    assert all(stored[field] is not None for field in stored if field != "class_chunk")
    head = Run(tmp_path / "run").classifier.head
    assert head.num_classes == 3
    if name in FLAGS:
        assert stored[field] == getattr(head, field) == value


@pytest.mark.parametrize("name", HEADS)
def test_a_flag_of_another_head_is_refused(refused: Refused, tmp_path: Path, name: str) -> None:
    other = "norm" if name != "max-mahalanobis" else "margin"
    message = refused("train", *QUICK, "--head", name, f"--head.{other}", 1, "--out", tmp_path / "run")
    assert f"--head.{other}: drumlin train has no such argument with --head {name}" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("l-softmax", "--head.margin", -1), "margin must be a whole number of at least 1, got -1"),
        (("l-softmax", "--head.margin", 2.5), "--head.margin"),
        (("l-softmax", "--head.beta", -1), "beta must be a finite number of at least 0, got -1.0"),
        (("gm", "--head.margin", -1), "margin must be a finite number of at least 0, got -1.0"),
        (("triplet", "--head.margin", -1), "margin must be a finite number above 0, got -1.0"),
        (("max-mahalanobis", "--backbone.feature-dim", 1), "in_features must be at least 2 for 3 means"),
    ],
)
def test_values_that_do_not_fit(refused: Refused, tmp_path: Path, words: tuple[object, ...], message: str) -> None:
    assert message in refused("train", *QUICK, "--head", *words, "--out", tmp_path / "run")
