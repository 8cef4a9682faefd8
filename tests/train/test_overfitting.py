"""The warning of rows that are learned by heart: of a trend, and not of noise."""

from __future__ import annotations

import pytest

from afina.train.overfitting import overfitting

FALLS = [2.0, 1.5, 1.0, 0.8, 0.6]


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ([], False),
        ([1.0], False),
        ([1.0, 1.001], False),  # one small rise
        ([1.0, 1.001, 0.9], False),
        ([1.0, 1.03], True),  # one large rise
        ([1.0, 1.001, 1.002], True),  # a small one twice in a row
        ([1.0, 0.9, 0.905, 0.904, 0.906], False),  # up and down
        ([1.0, 0.9, 0.905, 0.904, 0.95], True),
        ([1.2, 1.1, 1.0], False),
        ([1.0, 1.5, 1.4], False),  # it falls again
        ([1.5, 1.0, 1.4, 1.41], True),
        ([0.0, 0.0, 0.0], False),
    ],
)
def test_a_trend_is_told_from_noise(validation: list[float], said: bool) -> None:
    found = overfitting(validation, FALLS[: len(validation)])
    assert (found is not None) == said
    if found is not None:
        assert found.validation == (min(validation), validation[-1])
        lowest = validation.index(min(validation))
        assert found.training == (FALLS[lowest], FALLS[len(validation) - 1])
        assert "by heart" in found.sentence()


def test_nothing_is_said_where_training_rises_too() -> None:
    assert overfitting([1.0, 1.5, 2.0], [1.0, 1.1, 1.2]) is None
