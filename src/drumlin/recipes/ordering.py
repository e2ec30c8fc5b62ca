"""Records in the order of their recipes' rows, whoever came to a row first."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from drumlin.recipes import RECIPES, recipe
from drumlin.results.record import Record, Scale


def in_order(records: Iterable[Record]) -> list[Record]:
    """Return records with those of each recipe and scale in the order of its rows; else as they were.

    Rows are recorded as their trainings end, and several processes may share them. Recipes stand as they first come, records of a row
    stay in their order, and rows that the recipe has no more come after those that it has. What is of no recipe keeps its place
    among the recipes.
    """
    apart: dict[tuple[str | None, Scale], list[Record]] = {}
    for record in records:
        apart.setdefault((record.recipe, record.scale), []).append(record)
    return [record for (name, scale), each in apart.items() for record in sorted(each, key=_place(name, scale))]


class _place:
    """Record → the place of its row in a recipe."""

    def __init__(self, name: str | None, scale: Scale) -> None:
        self.rows = _rows(name, scale) if name in RECIPES else {}

    def __call__(self, record: Record) -> int:
        return self.rows.get((record.protocol or "").partition("; ")[0], len(self.rows))


@cache
def _rows(name: str, scale: Scale) -> dict[str, int]:
    return {variant.name: place for place, variant in enumerate(recipe(name, scale).variants)}
