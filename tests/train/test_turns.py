"""Whose turn it is: shares, order, and that one task alone is seen as ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from afina.recipe import parse_recipe
from afina.train.batches import Schedule
from afina.train.turns import Turns, turns_of

COUNTS = {"a": 800, "b": 80, "c": 5}


def turns(mixing: Any = None, weights: dict[str, float] | None = None) -> dict[str, int]:
    tasks = {
        name: {"task": "classify", "data": {"train": "x.csv"}}
        | ({"weight": weights[name]} if weights else {})
        for name in COUNTS
    }
    train = {} if mixing is None else {"mixing": mixing}
    recipe = parse_recipe({"tasks": tasks, "base": "x", "train": train}, several=True)
    return turns_of(recipe, COUNTS, 8)


def test_shares() -> None:
    assert turns() == turns("proportional") == {"a": 100, "b": 10, "c": 1}
    assert turns("equal") == {"a": 37, "b": 37, "c": 37}
    assert turns(None, {"a": 1, "b": 1, "c": 2}) == {"a": 28, "b": 28, "c": 56}
    warm = turns(2.0)
    assert sum(warm.values()) == pytest.approx(111, abs=2)
    assert warm["a"] / warm["b"] == pytest.approx(10**0.5, rel=0.05)
    assert turns(None, {"a": 1000, "b": 1, "c": 1})["c"] == 1, "every task has a turn"


def test_one_task_is_seen_as_ever() -> None:
    lengths = [3 + i % 7 for i in range(50)]
    alone = Schedule(lengths, 8, 5)
    of_run = Turns({"": lengths}, {"": 7}, 8, 5)
    assert [of_run.step(s) for s in range(30)] == [("", alone.step(s)) for s in range(30)]


def test_every_row_once_in_an_epoch_and_the_same_from_anywhere() -> None:
    lengths = {"a": [4] * 30, "b": [5] * 17}
    of_run = Turns(lengths, {"a": 4, "b": 3}, 8, 5)
    assert of_run.steps_per_epoch == 7
    for epoch in range(3):
        steps = [of_run.step(7 * epoch + i) for i in range(7)]
        seen = Counter((task, row) for task, rows in steps for row in rows)
        assert set(seen.values()) == {1} and len(seen) == 47
    forward = [of_run.step(s) for s in range(21)]
    anew = Turns(lengths, {"a": 4, "b": 3}, 8, 5)
    assert [anew.step(s) for s in reversed(range(21))] == forward[::-1]
    orders = {tuple(task for task, _ in forward[e * 7 : e * 7 + 7]) for e in range(3)}
    assert len(orders) > 1, "the order of the tasks is drawn anew"


def test_a_task_goes_on_where_it_stopped() -> None:
    """Fewer turns than its rows fill: over the epochs every row is seen all the same."""
    of_run = Turns({"a": [4] * 64, "b": [5] * 8}, {"a": 3, "b": 6}, 8, 5)
    seen = [r for s in range(9 * 8) for task, rows in [of_run.step(s)] if task == "a" for r in rows]
    assert set(Counter(seen).values()) == {3}
