"""Whether probabilities mean what they say: of the answers given at 80 %, 80 % should be right.

The expected calibration error is taken over bins with equally many answers (Nguyen and O'Connor
2015). It is above 0 by chance alone, the more the fewer rows there are, so it stands beside what a
perfectly calibrated model would show on as many rows (consistency resampling, Bröcker and Smith
2007). Its interval reaches as far as the bootstrap's deviation on both sides of the value and of the
value less the bootstrap's excess, and begins at 0 unless chance is ruled out: a little wide, where the
plain bootstrap interval is far too narrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afina.evaluate.asking import Measured
from afina.evaluate.finding import Column, Finding, Material
from afina.evaluate.intervals import normal_quantile, wilson
from afina.evaluate.scorer import Array, Context
from afina.evaluate.statement import Statement
from afina.tasks import Score

BINS = 15
ROWS_IN_BIN = 20
"""Answers that a bin should have; fewer answers make fewer bins."""
NUMBERS = 4_000_000
"""Probabilities drawn for an interval: the more rows, the fewer resamples (at least ``LEAST``)."""
LEAST = 200


@dataclass(frozen=True)
class Told:
    """What a candidate said and what was so: ``sure`` and ``right`` are [N, L], the probabilities of
    L statements about each row and whether they are true. ``brier``: the mean squared distance of all
    probabilities of a row from the truth."""

    sure: Array
    right: Array
    brier: float


def find(material: Material) -> Finding | None:
    """Calibration of each candidate that gives probabilities; None if the tuned one gives none."""
    rows: list[dict[str, Any]] = []
    for found in material.measured:
        told = told_by(found, material)
        if told is None:
            continue
        rows.append({"candidate": found.name, **_figures(told, material)})
        if found is material.own:
            own, bins = rows[-1], [_bin(*each, material) for each in _bins(told)]
    if not any(row["candidate"] == material.own.name for row in rows):
        return None
    columns = (
        Column("candidate", "candidate"),
        Column("ece", "score"),
        Column("by_chance", "percent"),
        Column("p_value", "probability"),
        Column("mean_confidence", "percent"),
        Column("share_right", "percent"),
        Column("brier", "plain"),
    )
    off = own["p_value"] <= 1 - material.settings.confidence
    over = own["mean_confidence"] > own["share_right"]
    code = ("overconfident" if over else "underconfident") if off else "calibrated"
    values = {**own["ece"], "tuned": material.own.name, "chance": own["by_chance"]}
    values |= {"sure": own["mean_confidence"], "right": own["share_right"]}
    said = Statement(code, values | {"p_value": own["p_value"]})
    return Finding("calibration", (said,), columns, tuple(rows), off, {"bins": bins})


def told_by(found: Measured, material: Material) -> Told | None:
    """The probabilities of a candidate, or None where it gives none."""
    if isinstance(material.task, Score):
        if found.failure is not None or found.preferences is None:
            return None
        # A reward model's scores are log-odds (Bradley and Terry 1952).
        leads = np.asarray([worse - better for better, worse in found.preferences])
        sure = 1 / (1 + np.exp(-np.abs(np.clip(leads, -60, 60))))
        right = np.where(leads > 0, 1.0, np.where(leads == 0, 0.5, 0.0))
        return Told(sure[:, None], right[:, None], float(((sure - right) ** 2).mean()))
    labels = Context.of(material.task).labels
    answers = [answer.probabilities for answer in found.answers]
    if found.failure is not None or not labels or any(given is None for given in answers):
        return None
    given = np.asarray([[(p or {}).get(label, 0.0) for label in labels] for p in answers])
    truth = np.asarray(
        [[float(label in gold.labels) for label in labels] for gold in material.golds]
    )
    brier = (given - truth) ** 2
    if Context.of(material.task).several:
        return Told(given, truth, float(brier.mean()))
    best = given.argmax(1)
    each = np.arange(len(best))
    return Told(given[each, best][:, None], truth[each, best][:, None], float(brier.sum(1).mean()))


def _figures(told: Told, material: Material) -> dict[str, Any]:
    settings = material.settings
    draws = max(LEAST, min(settings.resamples, NUMBERS // told.sure.size))
    error = float(ece(told.sure.reshape(1, -1), told.right.reshape(1, -1))[0])
    generator = np.random.default_rng([material.seed, 3])
    resampled, chance = [], []
    step = max(1, NUMBERS // (8 * told.sure.size))
    for start in range(0, draws, step):
        count = min(step, draws - start)
        taken = generator.integers(0, len(told.sure), (count, len(told.sure)))
        resampled.append(
            ece(told.sure[taken].reshape(count, -1), told.right[taken].reshape(count, -1))
        )
        sure = np.broadcast_to(told.sure.reshape(-1), (count, told.sure.size))
        chance.append(ece(sure, (generator.random(sure.shape) < sure).astype(float)))
    again, even = np.concatenate(resampled), np.concatenate(chance)
    p_value = float((1 + (even >= error - 1e-12).sum()) / (1 + len(even)))
    less = 2 * error - float(again.mean())
    half = normal_quantile(settings.confidence) * float(again.std())
    shown = p_value <= 1 - settings.confidence
    low = max(0.0, min(error, less) - half) if shown else 0.0
    return {
        "ece": {"value": error, "low": low, "high": min(1.0, max(error, less) + half)},
        "by_chance": float(np.quantile(even, settings.confidence)),
        "p_value": p_value,
        "mean_confidence": float(told.sure.mean()),
        "share_right": float(told.right.mean()),
        "brier": told.brier,
    }


def bin_edges(count: int) -> NDArray[np.int64]:
    """Where equally large bins of sorted answers begin, and their end."""
    bins = max(1, min(BINS, count // ROWS_IN_BIN))
    return np.linspace(0, count, bins + 1).round().astype(np.int64)


def ece(sure: Array, right: Array) -> Array:
    """Expected calibration error [R] of answers [R, n]: each bin's distance, weighted by its size."""
    order = np.argsort(sure, axis=1, kind="stable")
    gap = np.take_along_axis(right - sure, order, axis=1)
    sums = np.add.reduceat(gap, bin_edges(sure.shape[1])[:-1], axis=1)
    return np.asarray(np.abs(sums).sum(1) / sure.shape[1])


def _bins(told: Told) -> Iterator[tuple[Array, Array]]:
    sure, right = told.sure.reshape(-1), told.right.reshape(-1)
    order = np.argsort(sure, kind="stable")
    edges = bin_edges(len(sure))
    for first, last in pairwise(edges):
        yield sure[order[first:last]], right[order[first:last]]


def _bin(sure: Array, right: Array, material: Material) -> dict[str, Any]:
    low, high = wilson(float(right.sum()), len(right), material.settings.confidence)
    figures = {"sure": float(sure.mean()), "right": float(right.mean())}
    return {**figures, "low": low, "high": high, "rows": len(right)}
