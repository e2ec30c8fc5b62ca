import dataclasses
import inspect
import subprocess
import sys

import pytest

from drumlin.settings.heads import HEADS, GaussianMixtureSettings, head_settings


def test_by_name():
    assert head_settings("gm") == GaussianMixtureSettings()
    lgm = head_settings("lgm")
    assert (lgm.covariance, lgm.likelihood) == ("diagonal", "component")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown head 'sofmax': did you mean 'softmax'\? \(known: gm, lgm, softmax"):
        head_settings("sofmax")


@pytest.mark.parametrize("name", HEADS)
def test_frozen_and_by_keyword_only(name):
    settings = head_settings(name)
    field = dataclasses.fields(settings)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, field, 1)
    with pytest.raises(TypeError):
        HEADS[name](1)


@pytest.mark.parametrize("name", HEADS)
def test_defaults_are_those_of_the_head(name):
    """But for the warm-up, whose length depends on the training."""
    from drumlin.heads import GaussianMixtureHead, SoftmaxHead

    constructor = {"softmax": SoftmaxHead, "gm": GaussianMixtureHead, "lgm": GaussianMixtureHead}[name]
    given = {} if name != "lgm" else {"covariance": "diagonal", "likelihood": "component"}
    for field in dataclasses.fields(HEADS[name]):
        if field.name not in ("warmup_steps", "learned_prior"):
            default = given.get(field.name, inspect.signature(constructor).parameters[field.name].default)
            assert getattr(head_settings(name), field.name) == default, field.name


@pytest.mark.slow
def test_needs_no_torch():
    code = "import sys, drumlin.settings.heads; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
