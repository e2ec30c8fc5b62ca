from typing import Any

from drumlin.recipes import recipe
from drumlin.recipes.ordering import in_order
from drumlin.results import Record


def _record(protocol: str | None, **fields: Any) -> Record:
    defaults: dict[str, Any] = {
        "run": "r", "recipe": "mnist-isomax", "task": "classification", "data": "mnist", "split": "test", "head": "gm",
        "metric": "error", "unit": "fraction", "value": 0.1, "protocol": protocol, "scale": "cpu",
    }  # fmt: skip
    return Record(**(defaults | fields))


def test_records_stand_in_the_order_of_the_recipes_rows() -> None:
    names = [variant.name for variant in recipe("mnist-isomax", "cpu").variants]
    assert len(names) > 2
    as_it_should_be = [_record(f"{name}; lr=0.1", metric=metric) for name in names for metric in ("error", "again")]
    backwards = [_record(f"{name}; lr=0.1", metric=metric) for name in names[::-1] for metric in ("error", "again")]
    assert in_order(backwards) == as_it_should_be
    assert in_order(iter(as_it_should_be)) == as_it_should_be


def test_a_row_that_the_recipe_has_no_more_comes_last() -> None:
    last = recipe("mnist-isomax", "cpu").variants[-1].name
    gone, of_no_row, there = _record("no such row, 2-D; lr=0.1"), _record(None), _record(f"{last}; lr=0.1")
    assert in_order([gone, of_no_row, there]) == [there, gone, of_no_row]


def test_recipes_and_scales_and_what_is_of_no_recipe_stay_where_they_are() -> None:
    first, second = (variant.name for variant in recipe("mnist-isomax", "cpu").variants[:2])
    of_no_recipe = [_record("b", recipe="benchmarks/heads.py"), _record("a", recipe="benchmarks/heads.py")]
    by_hand = [_record("z", recipe=None), _record("y", recipe=None)]
    smoke = [_record(variant.name, scale="smoke") for variant in recipe("mnist-isomax", "smoke").variants[:1]]
    records = [*of_no_recipe, _record(second), *by_hand, *smoke, _record(first)]
    assert in_order(records) == [*of_no_recipe, _record(first), _record(second), *by_hand, *smoke]


def test_nothing() -> None:
    assert in_order([]) == []
