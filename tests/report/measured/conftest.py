from collections.abc import Callable
from typing import Any

import pytest

from drumlin.results import Record


@pytest.fixture
def record() -> Callable[..., Record]:
    """Make a record of the recipe mnist."""

    def make(**fields: Any) -> Record:
        defaults: dict[str, Any] = {
            "run": f"{fields.get('head')}-{fields.get('seed')}", "recipe": "mnist", "task": "classification", "data": "mnist",
            "split": "test", "head": "gm", "metric": "error", "unit": "fraction", "seed": 0, "value": 0.01,
            "environment": {"processor": "P", "torch": "9"},
        }  # fmt: skip
        return Record(**(defaults | fields))

    return make
