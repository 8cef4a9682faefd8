"""Scores of numbers: how far off the answers are, and how they go along with the right ones.

Pearson's correlation is a function of sums, so its interval is a plain bootstrap. Spearman's is
Pearson's of the places of the numbers among each other in the whole test (ties share a place, as in
SciPy); the places are those of the whole test in every resample too, which leaves the interval a little
wide where the agreement is strong. A correlation in which one side does not vary is 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

import numpy as np

from afina.errors import ModelError
from afina.evaluate.scorer import Array, Context, Counting, Row, Scorer, mean, ratio
from afina.types import Answer, Example


def number_of(answer: Answer) -> float:
    """The answer's number. Raises ModelError if it has none."""
    if answer.number is None:
        raise ModelError("a predictor gave an answer without a number", do="leave it out")
    return answer.number


def absolute_counting(context: Context) -> Counting:
    """Statistics: absolute difference, rows."""
    context.require_numbers("mae")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        return {0: abs(number_of(answer) - number_of(gold)), 1: 1.0}

    return Counting(2, count)


def squared_counting(context: Context) -> Counting:
    """Statistics: squared difference, rows."""
    context.require_numbers("rmse")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        return {0: (number_of(answer) - number_of(gold)) ** 2, 1: 1.0}

    return Counting(2, count)


def moments_counting(context: Context) -> Counting:
    """Statistics: rows, and the sums of x, y, x², y² and x·y, x and y in deviations from the mean."""
    middle, deviation = context.require_numbers("pearson")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        x = (number_of(gold) - middle) / deviation
        y = (number_of(answer) - middle) / deviation
        return _moments(x, y)

    return Counting(6, count)


def places_counting(context: Context) -> Counting:
    """Statistics: those of ``moments_counting``, of the places from -1 to 1."""
    context.require_numbers("spearman")

    def together(golds: Sequence[Answer], answers: Sequence[Answer]) -> Iterable[Row]:
        xs = _places([number_of(g) for g in golds])
        ys = _places([number_of(a) for a in answers])
        return (_moments(x, y) for x, y in zip(xs, ys, strict=True))

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        raise TypeError("places are of the whole test")

    return Counting(6, count, together)


def _moments(x: float, y: float) -> Row:
    return {0: 1.0, 1: x, 2: y, 3: x * x, 4: y * y, 5: x * y}


def _places(numbers: Sequence[float]) -> list[float]:
    """Each number's place among all of them, from -1 to 1; equal numbers share the middle one."""
    from scipy.stats import rankdata

    ranks = rankdata(numbers)
    half = (len(numbers) + 1) / 2
    found: list[float] = ((ranks - half) / half).tolist()
    return found


def root(sums: Array) -> Array:
    """The root of a mean."""
    return np.asarray(np.sqrt(mean(sums)))


def correlation(sums: Array) -> Array:
    """Pearson's correlation from the statistics of ``moments_counting``."""
    rows, x, y, xx, yy, xy = (sums[..., i] for i in range(6))
    spread_x, spread_y = rows * xx - x * x, rows * yy - y * y
    varies = (spread_x > 1e-10 * rows * xx) & (spread_y > 1e-10 * rows * yy)
    below = np.sqrt(np.where(varies, spread_x * spread_y, 0.0))
    return np.asarray(np.clip(ratio(rows * xy - x * y, below), -1.0, 1.0))


POINTS = 400
"""Rows that are drawn for the picture."""


def points(
    golds: Sequence[Answer], answers: Sequence[Answer], seed: int
) -> list[tuple[float, float]]:
    """Up to ``POINTS`` pairs of a right number and the given one."""
    chosen = sorted(Random(seed).sample(range(len(golds)), min(POINTS, len(golds))))
    return [(number_of(golds[i]), number_of(answers[i])) for i in chosen]


NUMBER_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "mae",
        "How far the answers are from the right numbers, on average (mean absolute error).",
        absolute_counting,
        mean,
        better="lower",
        unit="number",
        highest=None,
    ),
    Scorer(
        "rmse",
        "The root of the mean squared error: as the mean error, but large errors weigh more.",
        squared_counting,
        root,
        better="lower",
        unit="number",
        highest=None,
    ),
    Scorer(
        "pearson",
        "How well the answers lie on a line with the right numbers (Pearson's correlation).",
        moments_counting,
        correlation,
        unit="correlation",
        lowest=-1.0,
    ),
    Scorer(
        "spearman",
        "How well the answers put the rows in the right order (Spearman's correlation).",
        places_counting,
        correlation,
        unit="correlation",
        lowest=-1.0,
    ),
)
