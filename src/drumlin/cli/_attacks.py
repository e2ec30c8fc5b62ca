"""`--attack NAME` with that attack's own flags, `--attack.epsilon 0.1`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from typing import Any

from drumlin.attacks import ATTACKS, Attack
from drumlin.cli._parsing import choose, parse, take

NO_ATTACK = "none"


def parse_with_attack(
    command: type[Any], words: Sequence[str], *, name: str, default: str
) -> tuple[Any, Attack | None]:
    """Return the parsed `command` and the attack that `--attack` names, or None for "none"."""
    chosen, rest = take(words, "--attack", default)
    if chosen == NO_ATTACK:
        return parse(command, rest, name=name, fixed="without --attack"), None
    kind = ATTACKS[choose("attack", [chosen], [*ATTACKS])[0]]
    flags = make_dataclass(command.__name__, [("attack", kind, field(default=kind()))], bases=(command,), kw_only=True)
    flags.__doc__ = command.__doc__
    parsed: Any = parse(flags, rest, name=name, fixed=f"with --attack {chosen}")
    if parsed.attack.score_weight != kind().score_weight:
        raise ValueError(
            "--attack.score-weight acts on an attack that is given a score, which only Python can do so far: leave it out"
        )
    return parsed, parsed.attack


def label(attack: Attack, target: str = "untargeted", limit: int | None = None) -> str:
    """Return an attack's name with the settings that differ from their defaults and its target, for records.

    With a `limit` it names another set of images than the whole one.

    >>> from drumlin.attacks import FGSM
    >>> label(FGSM(epsilon=0.3)), label(FGSM(epsilon=0.3), limit=100)
    ('fgsm(epsilon=0.3)', 'fgsm(epsilon=0.3)[:100]')
    """
    fields = [item for item in dataclasses.fields(attack) if item.name != "batch_size"]
    given = [
        f"{f.name}={getattr(attack, f.name)}"
        for f in fields
        if f.name == "epsilon" or getattr(attack, f.name) != f.default
    ]
    goal = [] if target == "untargeted" else [f"target={target}"]
    part = "" if limit is None else f"[:{limit}]"
    return f"{attack.name}({', '.join([*given, *goal])}){part}"
