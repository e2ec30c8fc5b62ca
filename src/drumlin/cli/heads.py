"""drumlin heads."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import tyro

from drumlin.cli._parsing import parse
from drumlin.cli._settings import show_settings
from drumlin.settings.heads import HEADS, HeadSettings, head_settings

_PAPERS = """\
CE = −log softmax(logits)_y.
L: Wan et al., Rethinking Feature Distribution for Loss Functions in Image Classification, CVPR 2018.
T: Wan et al., Shaping Deep Feature Space towards Gaussian Mixture for Visual Classification, TPAMI 2023.
I: Softmax Supervision with Isotropic Normalization, submitted to ICLR 2018.
S: slides on Large-Margin Softmax Loss for Convolutional Neural Networks, Liu et al., ICML 2016."""
_INDENT = 20


@dataclass(kw_only=True)
class Heads:
    """List the heads with formula, paper and defaults, or the settings of one."""

    name: Annotated[str | None, tyro.conf.Positional] = None
    """A head."""


def run(words: Sequence[str]) -> int:
    """Print the list, or one head's settings."""
    flags = parse(Heads, words, name="heads")
    if flags.name is not None:
        settings = head_settings(flags.name)
        some = bool(dataclasses.fields(settings))
        print(show_settings(settings, prefix="--head.") if some else f"{_about(settings)}\n\nnothing to set")
        print(f"\nloss: {settings.formula}\npaper: {settings.source}")
    else:
        print("\n\n".join(_entry(head_settings(name)) for name in HEADS))
    print(f"\n{_PAPERS}")
    if flags.name is None:
        print("\nsettings of one: drumlin heads NAME")
    return 0


def _entry(settings: HeadSettings) -> str:
    defaults = {field.name.replace("_", "-"): getattr(settings, field.name) for field in dataclasses.fields(settings)}
    lines = [
        _about(settings),
        f"loss: {settings.formula}",
        f"paper: {settings.source}",
        f"defaults: {', '.join(f'{name} {value}' for name, value in defaults.items()) or 'nothing to set'}",
    ]
    return f"\n{'':<{_INDENT}}".join([f"{settings.name:<{_INDENT}}{lines[0]}", *lines[1:]])


def _about(settings: HeadSettings) -> str:
    return (type(settings).__doc__ or "").splitlines()[0]
