"""The learning curve: what a score does as rows are added, and what that says to do next.

The error follows a power law of the rows, c + a·n^−b (Hestness et al. 2017, arXiv 1712.00409). Three
numbers from three or four noisy points say little, so the points are drawn again within their own
intervals and the law is fitted to each draw: what is projected is a range, not a number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from afina.decide.words import Said
from afina.evaluate.scorer import Scorer

Step = Literal["enough", "train_longer", "overfit", "more_data", "other_way"]
DRAWS = 300
POWERS = np.linspace(0.05, 2.0, 40)
TIMES = (2.0, 4.0, 10.0)
"""How many times the rows there are the law is asked about; further it is a guess."""
LEAST_GAIN = 0.01
"""Gain from twice the rows, as a share of the error there is now, that is worth the labelling."""


@dataclass(frozen=True)
class Point:
    """A trial on some of the rows: its score and the interval around it."""

    rows: int
    value: float
    low: float
    high: float | None


@dataclass(frozen=True)
class Projection:
    """What the law says of that many rows: the middle of the draws and the middle 90 % of them."""

    rows: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Curve:
    """Points, the law fitted to them, projections, and what to do next.

    ``law``: floor, scale and power of the error. ``rows_for_goal``: None if there is no goal, or no
    number of rows reaches it by the law; ``chance``: the share of draws that reach it with ten
    times the rows.
    """

    metric: str
    unit: str
    points: tuple[Point, ...]
    law: tuple[float, float, float] | None
    projections: tuple[Projection, ...] = ()
    rows_for_goal: int | None = None
    chance: float | None = None
    next: Step = "other_way"
    values: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        law = dict(zip(("floor", "scale", "power"), self.law, strict=True)) if self.law else None
        return {
            "metric": self.metric,
            "unit": self.unit,
            "points": [vars_of(point) for point in self.points],
            "law": law,
            "projections": [vars_of(one) for one in self.projections],
            "rows_for_goal": self.rows_for_goal,
            "chance_of_goal_with_ten_times_the_rows": self.chance,
            "next": self.next,
            "statement": Said(self.next, self.values).as_dict(),
        }


def vars_of(value: Any) -> dict[str, Any]:
    """The fields of a small frozen value."""
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def draw_curve(
    scorer: Scorer,
    points: Sequence[Point],
    *,
    at_least: float | None,
    confidence: float,
    seed: int,
    still_falling: bool = False,
    overfits: bool = False,
) -> Curve:
    """Fit the law (from three points on) and say what is next. ``points`` in rising rows."""
    if len(points) < 3:
        law, draws = None, None
    else:
        law, draws = _fits(scorer, points, confidence, seed)
    last = points[-1]
    projections = tuple(
        _projected(scorer, draws, round(last.rows * times)) for times in TIMES if draws is not None
    )
    reached = at_least is not None and scorer.sign * (last.value - at_least) >= 0
    gain, low_gain = _gain(draws, last.rows) if draws is not None else (0.0, 0.0)
    if reached:
        step: Step = "enough"
    elif overfits:
        step = "overfit"
    elif still_falling:
        step = "train_longer"
    elif gain >= LEAST_GAIN and low_gain > 0:
        step = "more_data"
    else:
        step = "other_way"
    return Curve(
        scorer.name,
        scorer.unit,
        tuple(points),
        law,
        projections,
        _rows_for(scorer, law, at_least),
        _chance(scorer, draws, at_least, last.rows * TIMES[-1]),
        step,
        {"gain": gain, "metric": scorer.name, "rows": last.rows},
    )


# ---------------------------------------------------------------------------- the law


def error_of(scorer: Scorer, value: float) -> float:
    """How far a score is from the best there is."""
    best = scorer.highest if scorer.sign > 0 else scorer.lowest
    return abs((best if best is not None else 0.0) - value)


def score_of(scorer: Scorer, error: float) -> float:
    """The score that is that far from the best there is."""
    best = scorer.highest if scorer.sign > 0 else scorer.lowest
    return (best if best is not None else 0.0) - scorer.sign * error


def fit(
    rows: Sequence[int], errors: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float, float]:
    """(floor, scale, power), none below 0: weighted least squares, the power by trying."""
    from scipy.optimize import nnls

    counts = np.asarray(rows, dtype=np.float64)
    best, found = math.inf, (float(errors.mean()), 0.0, 0.0)
    for power in POWERS:
        design = np.stack([np.ones_like(counts), counts**-power], axis=1) * weights[:, None]
        (floor, scale), rest = nnls(design, errors * weights)
        if rest < best - 1e-12:
            best, found = rest, (float(floor), float(scale), float(power))
    return found


def law_at(law: tuple[float, float, float], rows: float) -> float:
    floor, scale, power = law
    return float(floor + scale * rows**-power)


def _fits(
    scorer: Scorer, points: Sequence[Point], confidence: float, seed: int
) -> tuple[tuple[float, float, float], list[tuple[float, float, float]]]:
    rows = [point.rows for point in points]
    errors = np.array([error_of(scorer, point.value) for point in points])
    spread = 2 * NormalDist().inv_cdf(0.5 + confidence / 2)
    widths = [
        (point.high if point.high is not None else 2 * point.value - point.low) - point.low
        for point in points
    ]
    deviations = np.maximum(np.array(widths) / spread, 1e-6)
    weights = 1.0 / deviations
    random = np.random.default_rng(seed)
    drawn = np.maximum(errors + deviations * random.standard_normal((DRAWS, len(rows))), 0.0)
    return fit(rows, errors, weights), [fit(rows, one, weights) for one in drawn]


def _projected(
    scorer: Scorer, draws: Sequence[tuple[float, float, float]] | None, rows: int
) -> Projection:
    scores = [score_of(scorer, law_at(law, rows)) for law in draws or ()]
    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95])
    return Projection(rows, float(middle), float(low), float(high))


def _gain(draws: Sequence[tuple[float, float, float]], rows: int) -> tuple[float, float]:
    """What twice the rows take off the error, as a share of it: the middle and the 5 % end."""
    shares = []
    for law in draws:
        now = law_at(law, rows)
        shares.append((now - law_at(law, 2.0 * rows)) / now if now > 0 else 0.0)
    middle, low = np.quantile(shares, [0.5, 0.05])
    return float(middle), float(low)


def _rows_for(
    scorer: Scorer, law: tuple[float, float, float] | None, at_least: float | None
) -> int | None:
    if law is None or at_least is None:
        return None
    floor, scale, power = law
    room = error_of(scorer, at_least) - floor
    if room <= 0 or scale <= 0 or power <= 0:
        return None
    needed = (scale / room) ** (1 / power)
    return math.ceil(needed) if needed < 1e9 else None


def _chance(
    scorer: Scorer,
    draws: Sequence[tuple[float, float, float]] | None,
    at_least: float | None,
    rows: float,
) -> float | None:
    if draws is None or at_least is None:
        return None
    wanted = error_of(scorer, at_least)
    return float(np.mean([law_at(law, rows) <= wanted for law in draws]))
