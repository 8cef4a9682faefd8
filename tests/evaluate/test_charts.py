"""Geometry of the pictures."""

from __future__ import annotations

import pytest

from afina.evaluate.charts import MAX_POINTS, curves, matrix, most_confused, ticks
from afina.evaluate.marks import differences


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0, 2.6, [0, 1, 2, 3]),
        (0, 138, [0, 50, 100, 150]),
        (1, 1, [1, 1.2, 1.4, 1.6, 1.8, 2.0]),
        (0, 0.00042, [0, 0.0001, 0.0002, 0.0003, 0.0004, 0.0005]),
    ],
)
def test_ticks_are_round_and_cover_the_range(
    low: float, high: float, expected: list[float]
) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def steps(count: int) -> list[dict[str, float]]:
    return [{"step": s, "loss": 1 / s, "learning_rate": 1e-3} for s in range(1, count + 1)]


def test_curves_keep_losses_in_the_plot_and_checks_in_place() -> None:
    rows = [*steps(10), {"step": 5, "validation_loss": 0.5}, {"step": 10, "validation_loss": 0.3}]
    found = curves(rows, [{"step": 8, "message": "rises"}], best_step=10)
    assert found is not None
    assert found.train is not None
    assert found.validation is not None
    assert len(found.train.points) == 10
    assert [p[2:] for p in found.validation.points] == [(5, 0.5), (10, 0.3)]
    assert all(64 <= x <= 880 and 16 <= y <= 260 for x, y, _, _ in found.train.points)
    assert found.validation.points[0][1] < found.validation.points[1][1]
    assert (found.alerts[0][1], found.alerts[0][2]["message"]) == (8, "rises")
    assert found.best == (880.0, 10)


def test_many_steps_are_averaged_and_none_is_left_out() -> None:
    found = curves(steps(1001))
    assert found is not None
    assert found.train is not None
    assert found.group == 3
    assert len(found.train.points) <= MAX_POINTS
    assert found.train.points[0][3] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert found.train.points[-1][2] == 1001


def test_there_are_no_curves_without_losses() -> None:
    assert curves([]) is None
    assert curves([{"step": 1, "tokens": 5}]) is None
    assert curves([{"step": 1, "loss": float("nan")}]) is None


def test_alerts_are_found_in_metrics_too() -> None:
    found = curves([*steps(4), {"step": 3, "alert": "validation rises"}])
    assert found is not None
    assert found.alerts[0][1:] == (3, {"message": "validation rises"})


CONFUSION = {"labels": ["a", "b", "c"], "cells": [[0, 0, 8], [0, 1, 2], [1, 0, 3], [1, 1, 1]]}


def test_a_matrix_has_a_cell_for_each_pair_that_occurred() -> None:
    found = matrix(CONFUSION)
    assert found is not None
    assert [(c.right, c.given, c.rows, c.diagonal) for c in found.cells] == [
        ("a", "a", 8, True),
        ("a", "b", 2, False),
        ("b", "a", 3, False),
        ("b", "b", 1, True),
    ]
    assert found.cells[1].share == pytest.approx(0.2)
    assert found.named
    assert found.counted


def test_large_matrices_are_numbered_and_very_large_ones_listed() -> None:
    many = {"labels": [f"label {i}" for i in range(77)], "cells": [[0, 1, 2]]}
    found = matrix(many)
    assert found is not None
    assert not found.named
    assert not found.counted
    assert matrix({"labels": ["x"] * 101, "cells": []}) is None


def test_the_most_frequent_confusions_come_first() -> None:
    found = most_confused(CONFUSION)
    assert [(p.right, p.given, p.rows) for p in found] == [("b", "a", 3), ("a", "b", 2)]
    assert found[0].share == pytest.approx(0.75)
    assert most_confused({"labels": ["a"], "cells": [[0, 0, 3]]}) == []


@pytest.mark.parametrize(
    ("gold", "answer", "expected"),
    [
        ("a b", "a b", [("same", "a b")]),
        ("a b", "", []),
        (
            "turn on lamp",
            "turn off lamp",
            [("same", "turn "), ("extra", "off"), ("missing", "on"), ("same", " lamp")],
        ),
        ("a b c", "a b", [("same", "a b"), ("missing", " c")]),
        ("abc", "xyz", [("same", "xyz")]),
    ],
)
def test_differences_word_by_word(gold: str, answer: str, expected: list[tuple[str, str]]) -> None:
    assert differences(gold, answer) == expected


def test_pieces_that_are_not_missing_join_to_the_answer() -> None:
    gold, answer = '{"intent": "on", "area": "salón"}', 'Claro: {"intent": "on", "area": "sal'
    pieces = differences(gold, answer)
    assert "".join(text for kind, text in pieces if kind != "missing") == answer
    assert any(kind == "missing" for kind, _ in pieces)
