"""How far several people (or a model) give the same answers, beyond what chance would bring about.

Each measure is a function of sums over rows, so its interval is the bootstrap over whole rows that every
other score has. Undefined (None) where nobody ever answered anything but one thing: chance then explains
all of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np

from afina.evaluate.intervals import percentiles, resample, total, unseen
from afina.evaluate.scorer import Array

Answers = Mapping[str, str]
"""Row to answer, of one person."""
RESAMPLES = 2000
FAIR = 0.4
"""Kappa from which agreement counts as moderate (Landis & Koch 1977, Biometrics 33:159)."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """One measure: 1 is full agreement, 0 what chance brings, below 0 less than that."""

    measure: str
    judges: tuple[str, ...]
    rows: int
    value: float | None
    low: float | None
    high: float | None

    @property
    def shown(self) -> bool:
        """Whether it is moderate at least, and surely more than chance."""
        return self.value is not None and self.value >= FAIR and (self.low or 0.0) > 0

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"shown": self.shown}


def cohen(
    first: tuple[str, Answers], second: tuple[str, Answers], confidence: float, seed: int
) -> Agreement:
    """Cohen's kappa of two (Cohen 1960, Educ. Psychol. Meas. 20:37), over the rows both answered.

    Statistics of a row: agreed, 1, one-hot of the first's answer, one-hot of the second's.
    """
    (name, own), (other_name, other) = first, second
    rows = sorted(own.keys() & other.keys())
    names = sorted({*(own[r] for r in rows), *(other[r] for r in rows)})
    table = np.zeros((len(rows), 2 + 2 * len(names)))
    for i, row in enumerate(rows):
        table[i, 0], table[i, 1] = own[row] == other[row], 1
        table[i, 2 + names.index(own[row])] = 1
        table[i, 2 + len(names) + names.index(other[row])] = 1

    def kappa(sums: Array) -> Array:
        n = np.maximum(sums[..., 1], 1)
        mine, theirs = sums[..., 2 : 2 + len(names)], sums[..., 2 + len(names) :]
        return _beyond_chance(sums[..., 0] / n, (mine * theirs).sum(-1) / n**2)

    return _measured("cohen_kappa", (name, other_name), table, kappa, confidence, seed)


def fleiss(judges: Mapping[str, Answers], confidence: float, seed: int) -> Agreement:
    """Fleiss' kappa of several (Fleiss 1971, Psychol. Bull. 76:378), over the rows all answered.

    Statistics of a row: share of agreeing pairs, 1, answers of each kind.
    """
    rows = sorted(set.intersection(*(set(answers) for answers in judges.values())))
    counts = _counts(judges, rows)
    many = len(judges)
    pairs = ((counts**2).sum(1) - many) / (many * (many - 1))
    table = np.column_stack([pairs, np.ones(len(rows)), counts])

    def kappa(sums: Array) -> Array:
        n = np.maximum(sums[..., 1:2], 1)
        shares = sums[..., 2:] / (n * many)
        return _beyond_chance(sums[..., 0] / n[..., 0], (shares**2).sum(-1))

    return _measured("fleiss_kappa", tuple(judges), table, kappa, confidence, seed)


def krippendorff(judges: Mapping[str, Answers], confidence: float, seed: int) -> Agreement:
    """Krippendorff's alpha for names (Krippendorff 2011), over the rows that two or more answered.

    Statistics of a row: disagreeing pairs / (answers - 1), answers of each kind.
    """
    given = Counter(row for answers in judges.values() for row in answers)
    rows = sorted(row for row, count in given.items() if count > 1)
    counts = _counts(judges, rows)
    size = counts.sum(1)
    apart = (size**2 - (counts**2).sum(1)) / np.maximum(size - 1, 1)
    table = np.column_stack([apart, counts])

    def alpha(sums: Array) -> Array:
        each = sums[..., 1:]
        n = each.sum(-1)
        chance = n**2 - (each**2).sum(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(chance > 0, 1 - (n - 1) * sums[..., 0] / chance, np.nan))

    return _measured("krippendorff_alpha", tuple(judges), table, alpha, confidence, seed)


def agreements(
    judges: Mapping[str, Answers], confidence: float = 0.95, seed: int = 7
) -> tuple[Agreement, ...]:
    """All that can be said of these judges: each pair; of three or more also of all together."""
    found = [
        cohen((one, judges[one]), (other, judges[other]), confidence, seed)
        for one, other in combinations(judges, 2)
    ]
    if len(judges) > 2:
        found.append(fleiss(judges, confidence, seed))
    if len(judges) > 1:
        found.append(krippendorff(judges, confidence, seed))
    return tuple(found)


def majority(judges: Mapping[str, Answers]) -> dict[str, str | None]:
    """The answer that most gave, row by row; None where two or more were given equally often."""
    rows = dict.fromkeys(row for answers in judges.values() for row in answers)
    found: dict[str, str | None] = {}
    for row in rows:
        given = Counter(answers[row] for answers in judges.values() if row in answers)
        (first, count), *rest = given.most_common(2)
        found[row] = None if rest and rest[0][1] == count else first
    return found


def _counts(judges: Mapping[str, Answers], rows: Sequence[str]) -> Array:
    names = sorted({answer for answers in judges.values() for answer in answers.values()})
    counts = np.zeros((len(rows), max(1, len(names))))
    for answers in judges.values():
        for i, row in enumerate(rows):
            if row in answers:
                counts[i, names.index(answers[row])] += 1
    return counts


def _beyond_chance(observed: Array, expected: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        kappa = (observed - expected) / (1 - expected)
    return np.asarray(np.where(expected < 1, kappa, np.nan))


def _measured(
    measure: str,
    judges: tuple[str, ...],
    table: Array,
    function: Callable[[Array], Array],
    confidence: float,
    seed: int,
) -> Agreement:
    rows = len(table)
    value = float(function(total(table))) if rows else np.nan
    if not np.isfinite(value):
        return Agreement(measure, judges, rows, None, None, None)
    draws = function(resample([table], RESAMPLES, seed)[0])
    draws = draws[np.isfinite(draws)]
    if not len(draws) or np.ptp(draws) < 1e-12:
        around = unseen(value, -1.0, 1.0, rows, confidence)
        return Agreement(measure, judges, rows, value, around.low, around.high)
    low, high = percentiles(draws, value, rows, confidence)
    return Agreement(measure, judges, rows, value, max(low, -1.0), min(high, 1.0))
