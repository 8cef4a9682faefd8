"""From which probability a label is given, where a miss and a false alarm do not cost the same.

A threshold is chosen on rows that the model did not learn from. With costs it is the one under which
those rows cost least; for a wished precision or recall the one that keeps to it and is best in the
other. Exact for each label alone; where a text has one label, labels are chosen one after the other.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from afina.types import Knobs

USUAL = 0.5
LEAST = 5
"""Rows with the label, and rows without it, below which nothing can be chosen."""


class Wanted(Knobs):
    """What errors about a label cost, or the precision or recall that it must have."""

    false_alarm: float | None = Field(None, ge=0)
    """Cost of giving the label to a text that does not have it."""
    miss: float | None = Field(None, ge=0)
    """Cost of not giving it to a text that has it."""
    precision: float | None = Field(None, gt=0, le=1)
    """Least share of right ones among the texts it is given to; as many are found as that allows."""
    recall: float | None = Field(None, gt=0, le=1)
    """Least share of the texts that have it which get it; with as few false alarms as that allows."""

    @model_validator(mode="after")
    def _one_of_three(self) -> Wanted:
        costs = self.false_alarm is not None and self.miss is not None
        half = (self.false_alarm is None) != (self.miss is None)
        if half or [costs, self.precision is not None, self.recall is not None].count(True) != 1:
            raise ValueError("give false_alarm and miss, or precision, or recall: one of the three")
        if costs and not (self.false_alarm or self.miss):
            raise ValueError("one of the two costs must be above 0")
        return self


Why = Literal["chosen", "too_few", "out_of_reach"]


@dataclass(frozen=True, slots=True)
class Chosen:
    """A threshold and why it is that. ``positives``: rows with the label among those that chose."""

    threshold: float
    why: Why
    positives: int
    rows: int


@dataclass(frozen=True, slots=True)
class _Cut:
    """A threshold and what it makes of the rows."""

    threshold: float
    hits: int
    alarms: int


def choose(wanted: Wanted, probabilities: Sequence[float], has: Sequence[bool]) -> Chosen:
    """The threshold of one label. ``has``: whether each row has it."""
    rows, positives = len(has), sum(has)
    if min(positives, rows - positives) < LEAST:
        return Chosen(USUAL, "too_few", positives, rows)
    cuts = _cuts(probabilities, has)
    if wanted.precision is not None:
        fair = [c for c in cuts if c.hits and c.hits / (c.hits + c.alarms) >= wanted.precision]
        best = max(fair, key=lambda c: (c.hits, -c.alarms), default=None)
    elif wanted.recall is not None:
        fair = [c for c in cuts if c.hits / positives >= wanted.recall]
        best = min(fair, key=lambda c: (c.alarms, -c.hits))
    else:
        alarm, miss = wanted.false_alarm or 0.0, wanted.miss or 0.0
        fair_share = alarm / (alarm + miss)  # where it would lie for true probabilities
        best = min(
            cuts,
            key=lambda c: (
                alarm * c.alarms + miss * (positives - c.hits),
                abs(c.threshold - fair_share),
            ),
        )
    if best is None:
        return Chosen(USUAL, "out_of_reach", positives, rows)
    return Chosen(best.threshold, "chosen", positives, rows)


def _cuts(probabilities: Sequence[float], has: Sequence[bool]) -> list[_Cut]:
    """A cut between each two probabilities that differ, one below all and one above all."""
    ranked = sorted(zip(probabilities, has, strict=True), reverse=True)
    cuts = [_Cut((1.0 + ranked[0][0]) / 2, 0, 0)]
    hits = alarms = 0
    for (own, right), (below, _) in itertools.zip_longest(ranked, ranked[1:], fillvalue=(-1.0, 0)):
        hits, alarms = hits + right, alarms + (not right)
        if below < own:
            cuts.append(_Cut((own + max(below, 0.0)) / 2, hits, alarms))
    return cuts


__all__ = ["Chosen", "Wanted", "choose"]
