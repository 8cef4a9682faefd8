"""How long a single request takes: questions asked one at a time, as users ask them.

The time of the whole test divided by its rows is no latency: rows are answered together.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from afina.types import Input

SHARE, MOST = 20, 50
"""One question in so many of the test is asked again, and at most so many."""
FOR_P95 = 20
"""Requests below which the slowest one in twenty is not told."""


@dataclass(frozen=True)
class Latency:
    """Seconds of single requests, one after the other."""

    p50: float
    p95: float
    mean: float
    requests: int

    @classmethod
    def of(cls, costs: Mapping[str, float]) -> Latency | None:
        """From the costs of a candidate; None where none was timed."""
        if not costs.get("timed"):
            return None
        p50, p95, mean = (costs[f"{name}_seconds"] for name in ("p50", "p95", "mean"))
        return cls(p50, p95, mean, int(costs["timed"]))

    def costs(self) -> dict[str, float]:
        """As they stand among the costs of a candidate."""
        figures = {"p50_seconds": self.p50, "p95_seconds": self.p95, "mean_seconds": self.mean}
        return {**figures, "timed": float(self.requests)}


def timed(predictor: Any, asked: Sequence[Input]) -> Latency:
    """Latency of single questions; the first one is asked twice and counted once."""
    seconds = []
    for given in [*asked[:1], *asked]:
        started = time.perf_counter()
        predictor.predict([given])
        seconds.append(time.perf_counter() - started)
    own = np.array(seconds[1:])
    p50, p95 = np.quantile(own, [0.5, 0.95])
    return Latency(float(p50), float(p95), float(own.mean()), len(own))


def wanted(rows: int | None, test: int) -> int:
    """How many questions are timed: what the recipe says, else few enough to cost little."""
    return min(test, MOST, test // SHARE) if rows is None else min(rows, test)
