"""Paired comparison: exact tests, intervals that agree with them, swaps that are complete."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import binomtest

from afina.evaluate.intervals import resample, total
from afina.evaluate.paired import Comparison, compare, mcnemar, permutation, tango
from afina.evaluate.scorer import statistics
from afina.evaluate.scorers import SCORERS

ACCURACY, MACRO, PERPLEXITY = (SCORERS[n] for n in ("accuracy", "macro_f1", "perplexity"))


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 0), (6, 0), (10, 3), (40, 41)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected)
    assert mcnemar(lost, gained) == pytest.approx(expected)


def score_test_z(gained: int, lost: int, rows: int, difference: float) -> float:
    """|z| with the constrained estimate found by searching the likelihood itself."""
    same = rows - gained - lost
    q = np.linspace(max(0, -difference), (1 - difference) / 2, 200_001)[1:-1]

    def part(count: int, chance: np.ndarray) -> np.ndarray:
        return count * np.log(chance) if count else np.zeros_like(chance)

    likelihood = part(lost, q) + part(gained, q + difference) + part(same, 1 - 2 * q - difference)
    best = float(q[likelihood.argmax()])
    variance = rows * (2 * best + difference * (1 - difference))
    return abs(gained - lost - rows * difference) / math.sqrt(variance)


@pytest.mark.parametrize(("gained", "lost", "rows"), [(10, 3, 40), (6, 1, 20), (3, 8, 100)])
def test_tangos_ends_are_where_the_score_test_turns(gained: int, lost: int, rows: int) -> None:
    low, high = tango(gained, lost, rows, 0.95)
    assert low < (gained - lost) / rows < high
    for end in (low, high):
        assert score_test_z(gained, lost, rows, end) == pytest.approx(1.96, abs=2e-3)


def test_tango_without_discordant_rows_has_the_known_length() -> None:
    z2 = 1.959964**2
    assert tango(0, 0, 50, 0.95) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-5)


@pytest.mark.parametrize(("gained", "lost", "rows"), [(5, 2, 9), (9, 0, 9), (0, 4, 12), (1, 0, 1)])
def test_tango_turns_with_the_candidates(gained: int, lost: int, rows: int) -> None:
    low, high = tango(gained, lost, rows, 0.9)
    assert tango(lost, gained, rows, 0.9) == pytest.approx((-high, -low))
    assert -1 <= low < high <= 1


def macro_rows(random: np.random.Generator, count: int, right: float):
    rows = []
    for _ in range(count):
        gold = int(random.integers(3))
        if random.random() < right:
            rows.append({gold: 1.0})
        else:
            rows.append({3 + (gold + 1) % 3: 1.0, 6 + gold: 1.0})
    return statistics(rows, 9)


def test_permutation_comes_near_all_swaps() -> None:
    random = np.random.default_rng(3)
    first, second = macro_rows(random, 9, 0.9), macro_rows(random, 9, 0.4)
    a, b = first.toarray(), second.toarray()
    seen = abs(MACRO.score(a.sum(0)) - MACRO.score(b.sum(0)))
    as_large = 0
    for swap in itertools.product([False, True], repeat=9):
        chosen = np.array(swap)[:, None]
        one, other = np.where(chosen, b, a).sum(0), np.where(chosen, a, b).sum(0)
        as_large += abs(MACRO.score(one) - MACRO.score(other)) >= seen - 1e-12
    found = permutation(MACRO, first, second, 20_000, seed=1)
    assert found == pytest.approx(as_large / 2**9, abs=0.01)


def test_equal_candidates_have_a_p_value_of_one() -> None:
    rows = macro_rows(np.random.default_rng(0), 20, 0.7)
    assert permutation(MACRO, rows, rows, 200, seed=1) == 1.0


def compared(scorer, first, second, family: int = 1) -> Comparison:
    sums = resample([first, second], 400, 5)
    return compare(
        scorer,
        "other",
        (first, sums[0]),
        (second, sums[1]),
        confidence=0.95,
        family=family,
        seed=5,
    )


def test_identical_answers_are_not_certainly_equal() -> None:
    right = statistics([{0: 1.0, 1: 1.0}] * 40, 2)
    found = compared(ACCURACY, right, right)
    assert found.difference == 0
    assert found.low is not None
    assert found.low < -0.05
    macro = macro_rows(np.random.default_rng(0), 40, 0.7)
    found = compared(MACRO, macro, macro)
    assert (found.difference, found.interval, found.p_value) == (0, "unseen", 1.0)
    assert found.low == pytest.approx(-found.high)  # type: ignore[operator]
    assert found.low < -0.05  # type: ignore[operator]


def test_an_unbounded_score_has_open_ends_where_nothing_varies() -> None:
    rows = statistics([{0: 20.0, 1: 10.0}] * 5, 2)
    found = compared(PERPLEXITY, rows, rows)
    assert (found.low, found.high) == (None, None)


def test_shares_are_compared_row_by_row() -> None:
    first = statistics([{0: 1.0, 1: 1.0}] * 8 + [{1: 1.0}] * 2, 2)
    second = statistics([{1: 1.0}] * 7 + [{0: 1.0, 1: 1.0}] * 2 + [{1: 1.0}], 2)
    found = compared(ACCURACY, first, second)
    assert (found.tuned_only, found.baseline_only) == (7, 1)
    assert found.difference == pytest.approx(0.6)
    assert found.p_value == pytest.approx(binomtest(1, 8).pvalue)


def test_the_interval_for_a_family_is_wider() -> None:
    random = np.random.default_rng(1)
    first, second = macro_rows(random, 50, 0.9), macro_rows(random, 50, 0.6)
    alone, among = compared(MACRO, first, second), compared(MACRO, first, second, family=5)
    assert (alone.family_low, alone.family_high) == (alone.low, alone.high)
    assert among.family_low < among.low < among.high < among.family_high  # type: ignore[operator]
    assert (among.low, among.high) == (alone.low, alone.high)


def test_the_difference_is_that_of_the_scores() -> None:
    random = np.random.default_rng(1)
    first, second = macro_rows(random, 30, 0.9), macro_rows(random, 30, 0.6)
    expected = float(MACRO.score(total(first)) - MACRO.score(total(second)))
    assert compared(MACRO, first, second).difference == pytest.approx(expected)


def test_a_comparison_survives_json() -> None:
    rows = macro_rows(np.random.default_rng(0), 10, 0.5)
    found = compared(MACRO, rows, rows)
    assert Comparison.from_dict(found.as_dict()) == found
