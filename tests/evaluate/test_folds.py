"""Mean, deviation and interval over folds, against figures worked by hand."""

from __future__ import annotations

import math

import pytest

from afina.errors import DataError
from afina.evaluate import Report, evaluate
from afina.evaluate.folds import Spread, over_folds
from afina.recipe import Evaluate
from afina.types import Answer
from tests.evaluate.candidates import CLASSIFY, LABELS, Fixed, labelled, labels_of


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


def test_a_candidate_of_one_fold_has_no_interval_of_no_length() -> None:
    def no_answer(_: str) -> Answer:
        raise DataError("not for these rows")

    def report(fails: bool) -> Report:
        right = labels_of("tuned", LABELS * 10)
        other = Fixed("linear", no_answer) if fails else labels_of("linear", ["bill"] * 30)
        return evaluate(
            [right, other],
            labelled(LABELS * 10),
            task=CLASSIFY,
            tuned="tuned",
            goal=None,
            settings=Evaluate(scorers=("accuracy",), resamples=100),
            seed=1,
        )

    found = over_folds([report(False), report(True)], [(60, 30)] * 2)
    tuned, linear = found["candidates"]
    assert tuned["scores"]["accuracy"]["values"] == (1.0, 1.0)
    assert (linear["scores"], linear["missing"]) == ({}, 1)
    assert found["differences"] == []
