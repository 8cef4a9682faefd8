"""What a sweep found, as plain values: its trials, the best of them, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from afina.sweep.space import Space

State = Literal["complete", "pruned", "failed"]
LOOKS = 4
"""Parts of a trial's steps after which it is looked at; its score is that of the last one."""


@dataclass(frozen=True)
class Tried:
    """One trial. ``value``, ``low``, ``high``: the score on the validation rows, of a complete one.

    ``looks``: by part of its steps (1 to ``LOOKS`` - 1), what its best weights are chosen by, more is
    better. ``reason``: why it is not complete: ``worse``, ``late``, ``diverged``, ``out_of_memory``,
    ``refused`` or ``killed``; ``told`` says the same in the words of what stopped it.
    """

    number: int
    state: State
    knobs: Mapping[str, Any]
    value: float | None = None
    low: float | None = None
    high: float | None = None
    looks: Mapping[int, float] = field(default_factory=dict)
    seconds: float = 0.0
    reason: str = ""
    told: str = ""

    def as_dict(self) -> dict[str, Any]:
        value = asdict(self)
        return value | {"looks": {str(k): v for k, v in self.looks.items()}}


@dataclass(frozen=True)
class Found:
    """The outcome of a sweep. ``own``: whether the first trial is the recipe as it stands.

    ``importance``: how much of the differences after the first part of the steps each knob explains;
    empty where there are too few trials. ``run``: the best trial as a run with a model; ``outcome``
    is the contract's object of it. ``interrupted``: how often a process that tried was killed.
    """

    folder: str
    metric: str
    unit: str
    better: str
    rows: int
    space: Space
    trials: Sequence[Tried]
    own: bool
    interrupted: int
    importance: Mapping[str, float]
    best: Tried
    recipe: str
    page: str
    run: str
    outcome: Mapping[str, Any]
    seconds: float

    @property
    def counts(self) -> dict[str, int]:
        """Trials by what became of them."""
        return dict(Counter(t.reason or t.state for t in self.trials))

    @property
    def shown(self) -> bool | None:
        """Whether the best trial's interval lies beyond the score of the recipe as it stands; None where
        one of the two is not there, or they are the same trial."""
        first = next((t for t in self.trials if t.number == 0 and self.own), None)
        if first is None or first.value is None or self.best.high is None or first == self.best:
            return None
        if self.better == "higher":
            return self.best.low is not None and self.best.low > first.value
        return self.best.high < first.value

    def as_dict(self) -> dict[str, Any]:
        """The object of ``afina sweep --json``."""
        return {
            **self.outcome,
            "sweep": {
                "folder": self.folder,
                "metric": self.metric,
                "unit": self.unit,
                "better": self.better,
                "validation_rows": self.rows,
                "space": [knob.as_dict() for knob in self.space],
                "trials": [trial.as_dict() for trial in self.trials],
                "counts": self.counts,
                "interrupted": self.interrupted,
                "own_first": self.own,
                "best": self.best.number,
                "better_than_own": self.shown,
                "importance": dict(self.importance),
                "recipe": self.recipe,
                "page": self.page,
                "seconds": round(self.seconds, 3),
            },
        }
