"""`--attack NAME` with that attack's own flags, `--attack.epsilon 0.1`, and how it gets on."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import field, make_dataclass
from typing import Any

from drumlin.attacks import ATTACKS, Attack
from drumlin.cli._parsing import choose, parse, progress, take
from drumlin.tasks.robustness import UNTARGETED

NO_ATTACK = "none"
_ALWAYS_NAMED = ("epsilon", "l2")
_PATIENCE = 3.0
"""Seconds without a word."""


def parse_with_attack(
    command: type[Any], words: Sequence[str], *, name: str, default: str
) -> tuple[Any, Attack | None]:
    """Return the parsed `command` and the attack that `--attack` names, or None for "none"."""
    chosen, rest = take(words, "--attack", default)
    if chosen == NO_ATTACK:
        return parse(_described(command), rest, name=name, fixed="without --attack"), None
    kind = ATTACKS[choose("attack", [chosen], [*ATTACKS])[0]]
    flags = make_dataclass(command.__name__, [("attack", kind, field(default=kind()))], bases=(command,), kw_only=True)
    flags.__doc__ = command.__doc__
    parsed: Any = parse(_described(flags), rest, name=name, fixed=f"with --attack {chosen}")
    _check_score(parsed.attack, getattr(parsed, "against", None))
    return parsed, parsed.attack


def _described(command: type[Any]) -> type[Any]:
    """Let the command's help list the attacks."""
    lines = [f"  {name}: {(kind.__doc__ or '').partition(': ')[0].splitlines()[0]}" for name, kind in ATTACKS.items()]
    described = make_dataclass(command.__name__, [], bases=(command,), kw_only=True)
    described.__doc__ = "\n".join([command.__doc__ or "", "", "Attacks, each with flags of its own:", *lines])
    return described


def _check_score(attack: Attack, against: str | None) -> None:
    """Refuse what makes sense against a detector alone where none is attacked."""
    if against is not None:
        return
    how = "name it with drumlin attack --against NAME, e.g. --against k-density"
    if attack.needs_score:
        raise ValueError(f"--attack {attack.name} is to pass a detector: {how}")
    default = {item.name: item.default for item in dataclasses.fields(attack)}.get("score_weight")
    if getattr(attack, "score_weight", None) != default:
        raise ValueError(
            f"--attack.score-weight acts on the score of a detector that is attacked too: {how}, or leave it out"
        )


def label(attack: Attack, target: str = UNTARGETED, limit: int | None = None, against: str | None = None) -> str:
    """Return an attack's name with the settings that differ from their defaults, its target and detector, for records.

    With a `limit` it names another set of images than the whole one.

    >>> from drumlin.attacks import FGSM
    >>> label(FGSM(epsilon=0.3)), label(FGSM(epsilon=0.3), limit=100, against="energy")
    ('fgsm(epsilon=0.3)', 'fgsm(epsilon=0.3, against=energy)[:100]')
    """
    fields = [item for item in dataclasses.fields(attack) if item.name != "batch_size"]
    given = [
        f"{f.name}={getattr(attack, f.name)}"
        for f in fields
        if f.name in _ALWAYS_NAMED or getattr(attack, f.name) != f.default
    ]
    goal = [] if target == UNTARGETED else [f"target={target}"]
    detector = [] if against is None else [f"against={against}"]
    part = "" if limit is None else f"[:{limit}]"
    return f"{attack.name}({', '.join([*given, *goal, *detector])}){part}"


class AttackLines:
    """A line a batch on standard error, once the attack takes longer than a few seconds."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._there: int | None = None

    def __call__(self, done: int, total: int) -> None:
        """Hear that `done` of `total` images are attacked; the first call is of those that were so already."""
        if self._there is None:
            self._there, self._begin = done, time.monotonic()
            if 0 < done < total:
                progress(f"{done} of {total} images are attacked already")
            return
        taken = time.monotonic() - self._begin
        if taken > _PATIENCE:
            minutes, seconds = divmod(round(taken / max(1, done - self._there) * (total - done)), 60)
            progress(f"attacked {done}/{total} images  {minutes}:{seconds:02d} left")
