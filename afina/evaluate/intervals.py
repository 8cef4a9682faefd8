"""How sure a score is: Wilson's interval for shares, a bootstrap over whole examples for the rest.

No interval here has length zero. Thirty of thirty right is not certainty: where all examples agree,
a bootstrap would say so, and the interval is taken from what a test of that size cannot rule out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np

from afina.evaluate.scorer import Array, Scorer

Kind = Literal["wilson", "bootstrap", "unseen", "tango", "student"]
CHUNK_NUMBERS = 4_000_000
"""Weights drawn at once (32 MB), whatever the size of the test."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true value lies, and by which method. ``high`` is None where nothing bounds it."""

    low: float
    high: float | None
    method: Kind

    @property
    def top(self) -> float:
        """``high``, infinity where there is none."""
        return math.inf if self.high is None else self.high


def normal_quantile(confidence: float) -> float:
    """z of a two-sided interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def wilson(hits: float, rows: int, confidence: float) -> tuple[float, float]:
    """Wilson's score interval for a share (Wilson 1927), good down to a single row."""
    z2 = normal_quantile(confidence) ** 2
    share = hits / rows
    centre = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = math.sqrt(z2 * share * (1 - share) / rows + z2**2 / (4 * rows**2)) / (1 + z2 / rows)
    low = 0.0 if hits == 0 else centre - half
    high = 1.0 if hits == rows else centre + half
    return low, high


def unseen_share(rows: int, confidence: float) -> float:
    """The largest share of cases of a kind of which none was among ``rows`` rows (Wilson)."""
    return wilson(0, rows, confidence)[1]


def between(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """How much higher the second of two independent scores is, by the intervals of both.

    ``value``, ``low`` and ``high`` each. The square-and-add rule (Zou and Donner 2008, Statistics in
    Medicine 27:1693); no ends where an interval has none.
    """
    value = second["value"] - first["value"]
    if None in (first["low"], first["high"], second["low"], second["high"]):
        return {"value": value, "low": None, "high": None}
    low = math.hypot(second["value"] - second["low"], first["high"] - first["value"])
    high = math.hypot(second["high"] - second["value"], first["value"] - first["low"])
    return {"value": value, "low": value - low, "high": value + high}


# ---------------------------------------------------------------------------- bootstrap


def _weights(rows: int, resamples: int, seed: int) -> Iterator[Array]:
    """Chunks [r, N] of how often each row is drawn in a resample of N rows."""
    generator = np.random.default_rng(seed)
    size = max(1, min(resamples, CHUNK_NUMBERS // max(1, rows)))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        drawn = generator.integers(0, rows, size=(count, rows))
        drawn += np.arange(count)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(float)


def resample(matrices: Sequence[Any], resamples: int, seed: int) -> list[Array]:
    """Sums [resamples, k] of each matrix of statistics [N, k] over the same resampled rows.

    One draw serves all matrices, so that differences between candidates are paired.
    """
    rows = matrices[0].shape[0]
    parts: list[list[Array]] = [[] for _ in matrices]
    for weights in _weights(rows, resamples, seed):
        for matrix, part in zip(matrices, parts, strict=True):
            part.append(weights @ matrix)
    return [np.concatenate(part) for part in parts]


def total(matrix: Any) -> Array:
    """The sum [k] of a matrix of statistics over its rows."""
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()


def percentiles(draws: Array, value: float, rows: int, confidence: float) -> tuple[float, float]:
    """Percentile interval around ``value`` from bootstrap values [R].

    Two mends, both for small tests. The draws are shifted so that their median is the value itself:
    in a resample some rows are missing, so a macro average over classes comes out too low in every
    one of them. And the tails are widened as Student's t is against the normal distribution
    (Hesterberg 2015, "expanded percentile interval").
    """
    from scipy.special import ndtr, stdtrit

    tail = (1 - confidence) / 2
    if rows > 1:
        tail = float(ndtr(math.sqrt(rows / (rows - 1)) * stdtrit(rows - 1, tail)))
    centred = draws - np.median(draws) + value
    low, high = np.quantile(centred, [tail, 1 - tail])
    return min(float(low), value), max(float(high), value)


def interval(scorer: Scorer, sums: Array, draws: Array, rows: int, confidence: float) -> Interval:
    """The interval of a score with sums [k] over ``rows`` rows and resampled sums [R, k]."""
    if scorer.proportion:
        return Interval(*wilson(float(sums[0]), rows, confidence), "wilson")
    value = float(scorer.score(sums))
    values = scorer.score(draws)
    if np.ptp(values) <= 1e-12 * max(1.0, abs(value)):
        return unseen(value, scorer.lowest, scorer.highest, rows, confidence)
    low, high = percentiles(values, value, rows, confidence)
    highest = math.inf if scorer.highest is None else scorer.highest
    return Interval(max(low, scorer.lowest), min(high, highest), "bootstrap")


def unseen(
    value: float, lowest: float, highest: float | None, rows: int, confidence: float
) -> Interval:
    """The interval where all rows agree: the share of cases not seen may be good or bad."""
    share = unseen_share(rows, confidence)
    low = value + share * (lowest - value)
    high = None if highest is None else value + share * (highest - value)
    return Interval(low, high, "unseen")
