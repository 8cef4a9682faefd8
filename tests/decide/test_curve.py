"""The learning curve: the law is found again, and what comes next follows from it."""

from __future__ import annotations

import numpy as np
import pytest

from afina.decide.curve import Point, draw_curve, error_of, fit, law_at, score_of
from afina.evaluate import SCORERS

ACCURACY, PERPLEXITY, CHRF = SCORERS["accuracy"], SCORERS["perplexity"], SCORERS["chrf"]


def points(floor: float, scale: float, power: float, width: float = 0.01) -> list[Point]:
    """Accuracies on the law's own line."""
    values = [(n, 1 - law_at((floor, scale, power), n)) for n in (50, 125, 250, 500)]
    return [Point(n, v, v - width, v + width) for n, v in values]


@pytest.mark.parametrize("law", [(0.05, 3.0, 0.5), (0.0, 10.0, 0.8), (0.2, 2.0, 1.0)])
def test_the_law_is_found_again(law: tuple[float, float, float]) -> None:
    rows = [50, 125, 250, 500]
    errors = np.array([law_at(law, n) for n in rows])
    found = fit(rows, errors, np.ones(4))
    for n in (50, 500, 2000):
        assert law_at(found, n) == pytest.approx(law_at(law, n), rel=0.02)


def draw(
    given: list[Point],
    at_least: float | None = None,
    still_falling: bool = False,
    overfits: bool = False,
):
    return draw_curve(
        ACCURACY, given, at_least=at_least, confidence=0.95, seed=1,
        still_falling=still_falling, overfits=overfits,
    )  # fmt: skip


def test_projections_hold_the_truth_and_wide_points_give_wide_ones() -> None:
    law = (0.02, 4.0, 0.6)
    narrow, wide = draw(points(*law)), draw(points(*law, width=0.08))
    for one, other in zip(narrow.projections, wide.projections, strict=True):
        truth = 1 - law_at(law, one.rows)
        assert one.low <= truth <= one.high
        assert other.high - other.low > one.high - one.low
    assert [p.rows for p in narrow.projections] == [1000, 2000, 5000]


def test_a_rising_curve_asks_for_rows_and_says_how_many() -> None:
    law = (0.0, 4.0, 0.5)
    found = draw(points(*law), at_least=0.9)
    assert found.next == "more_data"
    assert found.rows_for_goal == pytest.approx((4.0 / 0.1) ** 2, rel=0.15)
    assert found.chance is not None and found.chance > 0.9
    told = found.as_dict()["statement"]
    assert "More rows help" in told["en"] and "Más filas ayudan" in told["es"]


def test_a_flat_curve_asks_for_another_way() -> None:
    flat = [Point(n, 0.7, 0.68, 0.72) for n in (50, 125, 250, 500)]
    falling = [Point(n, v, v - 0.02, v + 0.02) for n, v in ((50, 0.74), (125, 0.72), (500, 0.7))]
    for given in (flat, falling):
        found = draw(given, at_least=0.95)
        assert found.next == "other_way"
        assert found.rows_for_goal is None
        assert found.chance == 0.0


def test_what_is_seen_in_the_training_comes_before_the_rows() -> None:
    rising = points(0.0, 4.0, 0.5)
    assert draw(rising, at_least=0.8).next == "enough"
    assert draw(rising, at_least=0.9, still_falling=True).next == "train_longer"
    assert draw(rising, at_least=0.9, overfits=True).next == "overfit"


def test_two_points_are_no_law() -> None:
    found = draw(points(0.0, 4.0, 0.5)[:2], at_least=0.9)
    assert found.law is None and found.projections == () and found.chance is None
    assert found.next == "other_way"


@pytest.mark.parametrize(
    ("scorer", "value", "error"), [(ACCURACY, 0.8, 0.2), (CHRF, 60.0, 40.0), (PERPLEXITY, 3.0, 2.0)]
)
def test_errors_and_scores_are_each_others_inverse(scorer, value: float, error: float) -> None:
    assert error_of(scorer, value) == pytest.approx(error)
    assert score_of(scorer, error) == pytest.approx(value)


def test_a_score_where_less_is_better() -> None:
    values = [(50, 5.0), (125, 4.0), (250, 3.4), (500, 3.0)]
    given = [Point(n, v, v - 0.1, v + 0.1) for n, v in values]
    found = draw_curve(PERPLEXITY, given, at_least=2.5, confidence=0.95, seed=1)
    assert found.next == "more_data"
    assert found.projections[0].value < 3.0
    assert found.rows_for_goal is not None and found.rows_for_goal > 500
