"""Scores of numbers against SciPy and NumPy; and whether their intervals hold what they promise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy import stats

from afina.errors import ModelError, RecipeError
from afina.evaluate.intervals import interval, resample, total
from afina.evaluate.numbers import points
from afina.evaluate.scorer import Context, statistics
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.single import value_of
from afina.tasks import Classify, Regress
from afina.types import Answer, NumberExample

TASK = Regress(mean=3.0, deviation=2.0)


def told(numbers: Sequence[float]) -> list[Answer]:
    return [Answer(str(n), number=float(n)) for n in numbers]


def rows(numbers: Sequence[float]) -> list[NumberExample]:
    return [
        NumberExample(id=str(i), where=f"row {i}", text=f"t{i}", number=float(n))
        for i, n in enumerate(numbers)
    ]


def drawn(seed: int, count: int, agreement: float) -> tuple[list[float], list[float]]:
    random = np.random.default_rng(seed)
    cov = [[1, agreement], [agreement, 1]]
    pairs = random.multivariate_normal([0, 0], cov, size=count)
    return (3 + 2 * pairs[:, 0]).tolist(), (3 + 2 * pairs[:, 1]).tolist()


def test_the_scores_are_those_of_scipy_and_numpy() -> None:
    right, given = drawn(1, 60, 0.7)
    given[5] = given[6]  # a tie
    x, y = np.array(right), np.array(given)
    expected = {
        "mae": np.abs(x - y).mean(),
        "rmse": np.sqrt(((x - y) ** 2).mean()),
        "pearson": stats.pearsonr(x, y).statistic,
        "spearman": stats.spearmanr(x, y).statistic,
    }
    for name, value in expected.items():
        found = value_of(SCORERS[name], TASK, rows(right), told(given))
        assert found == pytest.approx(value, abs=1e-12), name


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_answers_that_do_not_vary_have_no_correlation(name: str) -> None:
    assert value_of(SCORERS[name], TASK, rows([1, 2, 3]), told([1e6, 1e6, 1e6])) == 0.0


@pytest.mark.parametrize("name", ["pearson", "spearman", "mae"])
def test_intervals_hold_the_true_value(name: str) -> None:
    """At least about 19 of 20 times, on normal pairs whose true value is known."""
    agreement, count, times = 0.8, 80, 120
    truth = {
        "pearson": agreement,
        "spearman": 6 / np.pi * np.arcsin(agreement / 2),
        "mae": 2 * np.sqrt(2 * (1 - agreement)) * np.sqrt(2 / np.pi),
    }[name]
    held = 0
    counting = SCORERS[name].counting(Context.of(TASK))
    for seed in range(times):
        right, given = drawn(seed, count, agreement)
        found = statistics(counting.rows(rows(right), told(right), told(given)), counting.width)
        (draws,) = resample([found], 300, seed)
        around = interval(SCORERS[name], total(found), draws, count, 0.95)
        held += around.low <= truth <= around.top
    assert held / times >= 0.9


def test_scorers_of_numbers_and_of_labels_refuse_each_other() -> None:
    with pytest.raises(RecipeError, match="compares numbers"):
        choose(Classify(labels=("a", "b"), several=False), ["mae"], None)
    with pytest.raises(RecipeError, match="compares labels"):
        choose(TASK, ["accuracy"], None)
    with pytest.raises(RecipeError, match="compares texts"):
        choose(TASK, ["chrf"], None)


def test_an_answer_without_a_number_is_an_error() -> None:
    with pytest.raises(ModelError, match="without a number"):
        value_of(SCORERS["mae"], TASK, rows([1]), [Answer("a")])


def test_points_are_a_drawn_part_of_the_test() -> None:
    numbers = list(range(1000))
    found = points(told(numbers), told(numbers), 7)
    assert len(found) == 400
    assert found == points(told(numbers), told(numbers), 7)
    assert all(x == y for x, y in found)
