"""Intervals: known values, exact resampling, coverage, and never a length of zero."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

from afina.evaluate import intervals
from afina.evaluate.intervals import interval, percentiles, resample, total, unseen_share, wilson
from afina.evaluate.paired import compare
from afina.evaluate.scorer import statistics
from afina.evaluate.scorers import SCORERS

ACCURACY, MACRO, CHRF, PERPLEXITY = (
    SCORERS[name] for name in ("accuracy", "macro_f1", "chrf", "perplexity")
)


@pytest.mark.parametrize(
    ("hits", "rows"), [(0, 30), (30, 30), (1, 1), (0, 1), (7, 20), (93, 100), (2990, 3080)]
)
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_wilson_equals_scipy(hits: int, rows: int, confidence: float) -> None:
    expected = binomtest(hits, rows).proportion_ci(confidence, method="wilson")
    assert wilson(hits, rows, confidence) == pytest.approx((expected.low, expected.high))


def test_thirty_of_thirty_is_not_certain() -> None:
    right = statistics([{0: 1.0, 1: 1.0}] * 30, 2)
    found = interval(ACCURACY, total(right), resample([right], 200, 1)[0], 30, 0.95)
    assert found.method == "wilson"
    assert found.low == pytest.approx(0.8865, abs=1e-4)
    assert found.high == 1.0


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_other_scores_on_which_all_rows_agree_are_not_certain(value: float) -> None:
    column = 0 if value else 2
    rows = statistics([{column + (0 if value else 2): 1.0}] * 30, 6)
    found = interval(MACRO, total(rows), resample([rows], 200, 1)[0], 30, 0.95)
    share = unseen_share(30, 0.95)
    expected = (1 - share, 1.0) if value else (0.0, share)
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.method == "unseen"


def test_a_mean_is_of_the_rows_that_it_counts() -> None:
    """Ten of ten right is what ten rows show, however many others the test has."""
    scorer = SCORERS["passes_tests"]
    ten = statistics([{0: 1.0, 1: 1.0}] * 10, 2)
    more = statistics([*[{0: 1.0, 1: 1.0}] * 10, *[{}] * 90], 2)
    assert scorer.counted(more).sum() == 10 and SCORERS["macro_f1"].counted(more).all()
    rest: dict[str, Any] = {"confidence": 0.95, "family": 1, "seed": 1}
    pairs = [
        compare(scorer, "base", *[(m, resample([m], 500, 1)[0])] * 2, **rest) for m in (ten, more)
    ]
    assert (pairs[0].low, pairs[0].high) == (pairs[1].low, pairs[1].high)


def test_one_row_leaves_nearly_everything_open() -> None:
    row = statistics([{0: 4.0, 1: 4.0, 2: 2.0, 3: 3.0, 4: 3.0, 5: 1.0}], 18)
    found = interval(CHRF, total(row), resample([row], 100, 1)[0], 1, 0.95)
    assert found.low < 15
    assert found.high is not None
    assert found.high > 85


def test_a_score_without_an_upper_bound_has_an_open_interval_when_all_rows_agree() -> None:
    rows = statistics([{0: 20.0, 1: 10.0}] * 5, 2)
    found = interval(PERPLEXITY, total(rows), resample([rows], 100, 1)[0], 5, 0.95)
    assert found.high is None
    value = np.exp(2)
    assert found.low == pytest.approx(value - unseen_share(5, 0.95) * (value - 1.0))


def test_resamples_are_sums_of_the_rows_drawn_and_the_same_for_all_candidates() -> None:
    random = np.random.default_rng(0)
    dense = [random.random((9, 4)), random.random((9, 2))]
    found = resample(
        [statistics([dict(enumerate(r)) for r in d], d.shape[1]) for d in dense], 50, 3
    )
    drawn = np.random.default_rng(3).integers(0, 9, size=(50, 9))
    for sums, rows in zip(found, dense, strict=True):
        assert sums == pytest.approx(rows[drawn].sum(1))


def test_chunks_do_not_change_the_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = statistics([{0: float(i), 1: 1.0} for i in range(20)], 2)
    whole = resample([rows], 100, 4)[0]
    monkeypatch.setattr(intervals, "CHUNK_NUMBERS", 60)
    assert (resample([rows], 100, 4)[0] == whole).all()


def test_the_interval_holds_the_value_and_stays_in_range() -> None:
    random = np.random.default_rng(2)
    for _ in range(20):
        labels = random.integers(0, 4, 25)
        rows = [
            {int(c): 1.0}
            if random.random() < 0.95
            else {int(4 + c): 1.0, int(8 + (c + 1) % 4): 1.0}
            for c in labels
        ]
        matrix = statistics(rows, 12)
        value = float(MACRO.score(total(matrix)))
        found = interval(MACRO, total(matrix), resample([matrix], 200, 1)[0], 25, 0.95)
        assert found.high is not None
        assert 0.0 <= found.low <= value <= found.high <= 1.0
        assert found.low < found.high


def test_percentiles_widen_as_the_test_shrinks() -> None:
    draws = np.random.default_rng(0).normal(0.5, 0.1, 5000)
    widths = [
        high - low for low, high in (percentiles(draws, 0.5, n, 0.95) for n in (5, 20, 100_000))
    ]
    assert widths[0] > widths[1] > widths[2]
    assert widths[2] == pytest.approx(2 * 1.96 * 0.1, rel=0.03)


def test_a_bootstrap_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """Macro F1 of three classes with a known confusion, 300 tests of 60 rows."""
    random = np.random.default_rng(7)
    confused = np.array([[0.8, 0.1, 0.1], [0.05, 0.9, 0.05], [0.2, 0.1, 0.7]]) / 3
    right = np.diag(confused)
    truth = np.mean(2 * right / (confused.sum(0) + confused.sum(1)))
    hits = 0
    for trial in range(300):
        cells = random.choice(9, 60, p=confused.ravel())
        rows = [
            {g: 1.0} if g == a else {3 + a: 1.0, 6 + g: 1.0}
            for g, a in ((int(c) // 3, int(c) % 3) for c in cells)
        ]
        matrix = statistics(rows, 9)
        found = interval(MACRO, total(matrix), resample([matrix], 300, trial)[0], 60, 0.95)
        hits += found.low <= truth <= (found.high or 0)
    assert 0.92 <= hits / 300 <= 0.99
