"""Two candidates on the same rows: the difference, its interval, and a test of no difference.

Shares of zeros and ones: Tango's interval (Tango 1998) and the exact McNemar test. Other scores: a
paired bootstrap over whole examples and a permutation test that swaps the two candidates' rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

import numpy as np

from afina.evaluate.intervals import (
    CHUNK_NUMBERS,
    Kind,
    normal_quantile,
    percentiles,
    total,
    unseen_share,
)
from afina.evaluate.scorer import Array, Scorer

Test = Literal["mcnemar", "permutation"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The tuned model against one baseline in the judged score.

    ``difference``, ``low`` and ``high`` are tuned minus baseline, in the score's unit;
    ``family_low`` and ``family_high`` the same at a confidence that holds for all baselines at
    once. An end is None where nothing bounds it. ``p_value`` is two-sided, of no difference.
    ``tuned_only`` and ``baseline_only``: rows that only one has right (scores of zeros and ones;
    else None).
    """

    baseline: str
    difference: float
    low: float | None
    high: float | None
    family_low: float | None
    family_high: float | None
    p_value: float
    test: Test
    interval: str
    tuned_only: int | None = None
    baseline_only: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Comparison:
        """Read back what ``as_dict`` wrote."""
        return cls(**{field.name: value[field.name] for field in fields(cls)})


def compare(
    scorer: Scorer,
    baseline: str,
    tuned: tuple[Any, Array],
    other: tuple[Any, Array],
    *,
    confidence: float,
    family: int,
    seed: int,
) -> Comparison:
    """Compare two candidates, each given as (statistics [N, k], resampled sums [R, k]).

    ``family`` is the number of baselines: the family interval has the confidence
    1 - (1 - confidence) / family (Bonferroni).
    """
    wide = 1 - (1 - confidence) / max(1, family)
    if scorer.proportion:
        return _shares(baseline, tuned[0], other[0], confidence, wide)
    return _bootstrap(scorer, baseline, tuned, other, confidence, wide, seed)


def _shares(baseline: str, tuned: Any, other: Any, confidence: float, wide: float) -> Comparison:
    first, second = (np.asarray(m.toarray()[:, 0]) > 0 for m in (tuned, other))
    rows = len(first)
    gained = int((first & ~second).sum())
    lost = int((~first & second).sum())
    low, high = tango(gained, lost, rows, confidence)
    family_low, family_high = tango(gained, lost, rows, wide)
    return Comparison(
        baseline=baseline,
        difference=(gained - lost) / rows,
        low=low,
        high=high,
        family_low=family_low,
        family_high=family_high,
        p_value=mcnemar(gained, lost),
        test="mcnemar",
        interval="tango",
        tuned_only=gained,
        baseline_only=lost,
    )


def _bootstrap(
    scorer: Scorer,
    baseline: str,
    tuned: tuple[Any, Array],
    other: tuple[Any, Array],
    confidence: float,
    wide: float,
    seed: int,
) -> Comparison:
    rows = int(scorer.counted(tuned[0]).sum())
    difference = float(scorer.score(total(tuned[0])) - scorer.score(total(other[0])))
    draws = scorer.score(tuned[1]) - scorer.score(other[1])
    near = _difference_interval(scorer, difference, draws, rows, confidence)
    far = _difference_interval(scorer, difference, draws, rows, wide)
    return Comparison(
        baseline=baseline,
        difference=difference,
        low=near[0],
        high=near[1],
        family_low=far[0],
        family_high=far[1],
        p_value=permutation(scorer, tuned[0], other[0], len(draws), seed),
        test="permutation",
        interval=near[2],
    )


def _difference_interval(
    scorer: Scorer, difference: float, draws: Array, rows: int, confidence: float
) -> tuple[float | None, float | None, Kind]:
    """Percentile interval; where all resamples agree, what the unseen cases leave open."""
    if np.ptp(draws) > 1e-12 * max(1.0, abs(difference)):
        return *percentiles(draws, difference, rows, confidence), "bootstrap"
    if scorer.highest is None:
        return None, None, "unseen"
    reach = scorer.highest - scorer.lowest
    share = unseen_share(rows, confidence)
    low = difference - share * (reach + difference)
    return low, difference + share * (reach - difference), "unseen"


# ---------------------------------------------------------------------------- shares


def mcnemar(gained: int, lost: int) -> float:
    """Two-sided exact p-value: is a row that only one has right as likely the one's as the other's?

    Twice the smaller tail of a binomial with one half (McNemar 1947, exact form).
    """
    from scipy.special import bdtr

    discordant = gained + lost
    if discordant == 0:
        return 1.0
    return min(1.0, 2.0 * float(bdtr(min(gained, lost), discordant, 0.5)))


def tango(gained: int, lost: int, rows: int, confidence: float) -> tuple[float, float]:
    """Interval for the difference of two shares on the same rows.

    The differences that a score test would not reject (Tango 1998, doi 10.1002/(SICI)1097-0258
    (19980430)17:8<891). It agrees with McNemar's test and has a length even where no row differs.
    """
    z = normal_quantile(confidence)
    difference = (gained - lost) / rows
    low = _edge(gained, lost, rows, z, difference, -1.0)
    high = _edge(gained, lost, rows, z, difference, 1.0)
    return low, high


def _edge(gained: int, lost: int, rows: int, z: float, inside: float, outside: float) -> float:
    """Bisect between a difference that is accepted and the end of the range."""
    if _tango_z(gained, lost, rows, outside) <= z:
        return outside
    for _ in range(60):
        middle = (inside + outside) / 2
        if _tango_z(gained, lost, rows, middle) <= z:
            inside = middle
        else:
            outside = middle
    return (inside + outside) / 2


def _tango_z(gained: int, lost: int, rows: int, difference: float) -> float:
    """|z| of the score test that the true difference is this one; q is the constrained estimate."""
    a = 2.0 * rows
    b = -gained - lost + (2 * rows - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    q = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    variance = rows * (2 * q + difference * (1 - difference))
    distance = abs(gained - lost - rows * difference)
    if variance <= 1e-15:
        return 0.0 if distance <= 1e-9 else math.inf
    return distance / math.sqrt(variance)


# ---------------------------------------------------------------------------- other scores


def permutation(scorer: Scorer, tuned: Any, other: Any, swaps: int, seed: int) -> float:
    """Two-sided p-value: how often is the difference as large when rows are swapped at random?

    (1 + as large) / (1 + swaps), so it is never 0 and never too small (Phipson and Smyth 2010).
    """
    rows = tuned.shape[0]
    generator = np.random.default_rng([seed, 1])
    first, second, apart = total(tuned), total(other), tuned - other
    seen = abs(float(scorer.score(first) - scorer.score(second)))
    size = max(1, min(swaps, CHUNK_NUMBERS // max(1, rows)))
    as_large = 0
    for start in range(0, swaps, size):
        count = min(size, swaps - start)
        moved = generator.integers(0, 2, size=(count, rows)).astype(float) @ apart
        drawn = np.abs(scorer.score(first - moved) - scorer.score(second + moved))
        as_large += int((drawn >= seen - 1e-12 * max(1.0, seen)).sum())
    return (1 + as_large) / (1 + swaps)
