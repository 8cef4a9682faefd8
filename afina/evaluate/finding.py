"""A part of the proof beside the judged score: sentences, and a table whose columns say their kind.

One form for all of them, so that the page, the terminal and a program read each without knowing
which it is. What stands behind one is a file of its own; ``findings`` lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from afina.evaluate.asking import Further, Measured
from afina.evaluate.scorer import Array, Scorer
from afina.evaluate.statement import Statement
from afina.recipe import Evaluate
from afina.types import Answer, Example, Input, Task

Rate = Callable[[Sequence[Input], Sequence[Answer], Sequence[Answer]], Sequence[float]]
"""Questions, what was answered and the right answers → what each answer is worth."""


@dataclass(frozen=True, slots=True)
class Column:
    """``key``: the word of the page, and the key in a row. ``kind``: ``text``, ``word`` (of the page),
    ``candidate``, ``metric``, or a figure's (``figures.Filled``). ``unit``: of scores."""

    key: str
    kind: str
    unit: str = "share"


@dataclass(frozen=True)
class Finding:
    """What was found. A cell is a value, or ``value``, ``low`` and ``high``.

    ``alarm``: the first sentence stands also beside the verdict. ``more``: figures for a picture.
    """

    name: str
    statements: tuple[Statement, ...]
    columns: tuple[Column, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    alarm: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """``said`` holds the sentences in English, ``statements`` the same by code and values."""
        return {
            "name": self.name,
            "alarm": self.alarm,
            "said": [each.say("en") for each in self.statements],
            "statements": [each.as_dict() for each in self.statements],
            "columns": [{"key": c.key, "kind": c.kind, "unit": c.unit} for c in self.columns],
            "rows": [dict(row) for row in self.rows],
            "more": dict(self.more),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Finding:
        """Read back what ``as_dict`` wrote."""
        return cls(
            name=value["name"],
            statements=tuple(Statement.from_dict(each) for each in value["statements"]),
            columns=tuple(Column(**column) for column in value["columns"]),
            rows=tuple(value["rows"]),
            alarm=value["alarm"],
            more=value["more"],
        )


@dataclass(frozen=True)
class Material:
    """What findings are made from. ``judged``: the scorer of the verdict; ``figures``: by candidate
    and scorer, the statistics [N, k] and their resampled sums."""

    test: Sequence[Example]
    golds: Sequence[Answer]
    task: Task
    measured: Sequence[Measured]
    tuned: str
    judged: Scorer
    figures: Mapping[tuple[str, str], tuple[Any, Array]]
    settings: Evaluate
    seed: int
    further: Sequence[Further] = ()
    rate: Rate | None = None
    """What the run learned by, where that was a reward."""

    @property
    def matrices(self) -> dict[str, Any]:
        """By candidate, its statistics [N, k] of the judged scorer."""
        return {m: pair[0] for (m, of), pair in self.figures.items() if of == self.judged.name}

    @property
    def by_scorer(self) -> dict[str, Any]:
        """The tuned model's statistics [N, k] of each scorer."""
        return {of: pair[0] for (m, of), pair in self.figures.items() if m == self.tuned}

    @property
    def own(self) -> Measured:
        """What the tuned model said."""
        return next(found for found in self.measured if found.name == self.tuned)


@dataclass(frozen=True)
class RowMeasure:
    """One number for each row. ``hits``: zeros and ones. ``bounds``: the least and the greatest."""

    metric: str
    unit: str
    sign: int
    values: Array
    hits: bool
    bounds: tuple[float, float | None]
