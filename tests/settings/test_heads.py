import dataclasses
import subprocess
import sys

import pytest

from drumlin.settings.heads import HEADS, GaussianMixtureSettings, head_settings


def test_by_name():
    assert head_settings("gm") == GaussianMixtureSettings()
    lgm = head_settings("lgm")
    assert (lgm.covariance, lgm.likelihood) == ("diagonal", "component")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(
        ValueError, match=r"unknown head 'sofmax': did you mean 'softmax'.*\? \(known: .*gm, .*lgm, .*softmax"
    ):
        head_settings("sofmax")


@pytest.mark.parametrize("name", HEADS)
def test_frozen_and_by_keyword_only(name):
    settings = head_settings(name)
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.anything = 1
    with pytest.raises(TypeError):
        HEADS[name](1)


@pytest.mark.parametrize("name", HEADS)
def test_says_what_it_is(name):
    """`drumlin heads` prints these."""
    kind = HEADS[name]
    assert kind.__doc__.splitlines()[0].endswith(".")
    assert kind.formula
    assert kind.source
    assert kind.formula not in {other.formula for other in HEADS.values() if other is not kind}


@pytest.mark.parametrize("name", HEADS)
def test_a_training_leaves_nothing_open(name):
    resolved = head_settings(name).resolved(1000)
    assert None not in [getattr(resolved, f.name) for f in dataclasses.fields(resolved) if f.name != "class_chunk"]
    assert resolved.resolved(77) == resolved


def test_what_follows_from_the_length_of_a_training():
    assert head_settings("gm").resolved(1000).warmup_steps == 250
    assert head_settings("l-softmax").resolved(30_000).gamma == pytest.approx(2.5e-5)


@pytest.mark.slow
def test_needs_no_torch():
    code = "import sys, drumlin.settings.heads; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
