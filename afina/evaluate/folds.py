"""Scores over k folds: mean, deviation, and an interval that knows that the folds share their rows.

Models of two folds learned from mostly the same rows, so their scores vary less than independent ones
would: the variance of the mean is taken as (1/k + measured/learned) s² instead of s²/k, with Student's t
of k - 1 degrees (Nadeau and Bengio 2003, Machine Learning 52).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from afina.evaluate.report import Report


@dataclass(frozen=True)
class Spread:
    """A score over folds. ``values``: of each fold that has it, in order; ``deviation``: of a sample."""

    mean: float
    deviation: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float], ratio: float, confidence: float) -> Spread:
        """Of two values or more. ``ratio``: measured rows to rows that were learned from, of a fold."""
        from scipy.special import stdtrit

        count = len(values)
        mean = math.fsum(values) / count
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (count - 1))
        reach = float(stdtrit(count - 1, 0.5 + confidence / 2))
        half = reach * deviation * math.sqrt(1 / count + ratio)
        return cls(mean, deviation, mean - half, mean + half, tuple(values))


def over_folds(reports: Sequence[Report], rows: Sequence[tuple[int, int]]) -> dict[str, Any]:
    """The scores of every candidate over the folds, and what the tuned model has before each baseline.

    ``reports`` of one recipe, one a fold; ``rows``: (learned, measured) of each. A candidate that
    failed in a fold has no value there, and ``missing`` says in how many; one value alone says nothing
    of how much they vary, and makes no score.
    """
    first = reports[0]
    ratio = sum(measured for _, measured in rows) / max(1, sum(learned for learned, _ in rows))
    names = [candidate.name for candidate in first.candidates]
    found: dict[tuple[str, str], list[float | None]] = {
        (name, metric): [_value(report, name, metric) for report in reports]
        for name in names
        for metric in first.scorers
    }

    def spread(values: Sequence[float | None]) -> dict[str, Any] | None:
        there = [v for v in values if v is not None]
        return asdict(Spread.of(there, ratio, first.confidence)) if len(there) > 1 else None

    candidates = []
    for name in names:
        scores = {m: s for m in first.scorers if (s := spread(found[name, m])) is not None}
        missing = sum(report.candidate(name).failure is not None for report in reports)
        candidates.append(
            {"name": name, "scores": scores} | ({"missing": missing} if missing else {})
        )
    own = found[first.tuned, first.metric]
    differences = [
        {"baseline": name, **gain}
        for name in names
        if name != first.tuned
        and (
            gain := spread(
                [_minus(a, b) for a, b in zip(own, found[name, first.metric], strict=True)]
            )
        )
    ]
    return {
        "folds": len(reports),
        "metric": first.metric,
        "confidence": first.confidence,
        "scorers": {name: dict(facts) for name, facts in first.scorers.items()},
        "rows": [{"learned": learned, "measured": measured} for learned, measured in rows],
        "candidates": candidates,
        "differences": differences,
    }


def _value(report: Report, name: str, metric: str) -> float | None:
    score = report.candidate(name).scores.get(metric)
    return None if score is None else score.value


def _minus(own: float | None, other: float | None) -> float | None:
    return None if own is None or other is None else own - other


def rows_of(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The table of ``over_folds``: name, then ``mean ± deviation [low, high]`` by score."""
    from afina.evaluate.figures import NOTHING, score

    def cell(spread: Mapping[str, Any] | None, unit: str) -> str:
        if spread is None:
            return NOTHING
        mean, deviation, low, high = (
            score(spread[k], unit, "en") for k in ("mean", "deviation", "low", "high")
        )
        return f"{mean} ± {deviation} [{low}, {high}]"

    return [
        (c["name"], *(cell(c["scores"].get(m), s["unit"]) for m, s in found["scorers"].items()))
        for c in found["candidates"]
    ]
