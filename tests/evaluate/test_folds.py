"""Mean, deviation and interval over folds, against figures worked by hand."""

from __future__ import annotations

import math

import pytest

from afina.evaluate.folds import Spread


def test_the_figures_are_those_of_the_formula() -> None:
    found = Spread.of([0.7, 0.8, 0.9], ratio=0.5, confidence=0.95)
    assert found.mean == pytest.approx(0.8)
    assert found.deviation == pytest.approx(0.1)
    reach = 4.302652729911275 * 0.1 * math.sqrt(1 / 3 + 0.5)
    assert (found.low, found.high) == pytest.approx((0.8 - reach, 0.8 + reach))


def test_more_rows_measured_for_those_learned_means_less_certainty() -> None:
    values = [0.7, 0.8, 0.9, 0.75]
    narrow, wide = (Spread.of(values, ratio, 0.95) for ratio in (0.1, 1.0))
    assert wide.high - wide.low > narrow.high - narrow.low
