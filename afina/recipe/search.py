"""The knobs of a sweep: which knobs of the recipe are tried with which values, and for how long."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from afina.types import Knobs


class Range(Knobs):
    """The values of one knob: from low to high, or a list of choices."""

    low: int | float | None = None
    """Least value; whole numbers at both ends give whole numbers."""
    high: int | float | None = None
    """Greatest value."""
    log: bool = False
    """Whether a tenth and ten times as much are equally far: for rates."""
    choices: tuple[Any, ...] | None = None
    """The values themselves, in any form that the knob takes."""

    @model_validator(mode="after")
    def _one_or_the_other(self) -> Range:
        if (self.choices is None) == (self.low is None or self.high is None):
            raise ValueError("give low and high, or choices")
        if self.choices is not None:
            if (self.low, self.high, self.log) != (None, None, False):
                raise ValueError("choices stand alone: without low, high and log")
            if len(self.choices) < 2:
                raise ValueError("one choice is no choice: give two at least")
            return self
        assert self.low is not None and self.high is not None
        if not self.low < self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a range by its logarithm lies above 0, and low is {self.low}")
        return self


class Sweep(Knobs):
    """How the knobs of training are searched (afina sweep)."""

    space: dict[str, Range] | None = None
    """The knobs to try, by their keys (train.learning_rate), each with low and high or choices; left
    out: rate, batch, epochs, and rank and alpha of a method that has them, around the plan's values."""
    trials: int = Field(20, ge=1, le=10_000)
    """How many settings are tried, the recipe's own first."""
    minutes: float | None = Field(None, gt=0)
    """No trial begins after so long, and one that runs then is stopped."""
    prune: bool = True
    """Stop a trial after a quarter and after half of its steps if the better half of those that came
    that far is better."""
    metric: str | None = None
    """The score on the validation rows that trials are compared by, or validation_loss; left out: the
    goal's, else the first of the task, and the loss for texts that would have to be written."""


__all__ = ["Range", "Sweep"]
