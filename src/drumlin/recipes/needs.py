"""What an experiment reads beside the images it trains on, asked for before it trains."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from drumlin.data import load
from drumlin.data.synthetic import SYNTHETIC
from drumlin.settings.run import RunSettings


def sets(names: Iterable[str]) -> Callable[[RunSettings], None]:
    """Return what loads these sets once, those that are made of others left out, from the data root of the settings.

    Raises:
        ValueError: (when called) one that is not there, with where it was looked for.
    """
    stored = [name for name in names if name not in SYNTHETIC]

    def check(settings: RunSettings) -> None:
        for name in stored:
            load(name, "test", root=settings.data.root, download=settings.data.download)

    return check
