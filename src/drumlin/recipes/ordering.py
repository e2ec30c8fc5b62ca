"""Records in the order of their recipes' rows, whoever came to a row first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    return [record for (name, scale), each in apart.items() for record in _sorted(each, _rows(name, scale))]


def _sorted(records: Iterable[Record], rows: Mapping[str, int]) -> list[Record]:
    """Return records by the places of their rows, those of no row last."""
    return sorted(records, key=lambda record: rows.get((record.protocol or "").partition("; ")[0], len(rows)))


@cache
def _rows(name: str | None, scale: Scale) -> dict[str, int]:
    """Return the places of a recipe's rows by their names; nothing where there is no such recipe."""
    if name not in RECIPES:
        return {}
    return {variant.name: place for place, variant in enumerate(recipe(name, scale).variants)}
