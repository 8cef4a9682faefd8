"""Whether a run begins to learn its rows by heart, from its losses so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

RISE = 0.02
"""Share by which the validation loss has to lie above its lowest, where it rose only once."""


@dataclass(frozen=True)
class Overfitting:
    """The losses of the evaluation with the lowest validation loss, and of the last one."""

    validation: tuple[float, float]
    training: tuple[float, float]

    def sentence(self) -> str:
        """For people, in English."""
        (before, after), (was, now) = self.validation, self.training
        return (
            f"validation loss rises ({before:.4f} to {after:.4f}) while training loss falls "
            f"({was:.4f} to {now:.4f}): the model begins to learn the rows by heart; fewer epochs, "
            "a lower rate or more data help"
        )

    def as_dict(self) -> dict[str, Any]:
        return {"validation": list(self.validation), "training": list(self.training)}


def overfitting(validation: Sequence[float], training: Sequence[float]) -> Overfitting | None:
    """None unless the validation loss has risen since its lowest, twice in a row or by more than
    ``RISE`` of it, while the training loss fell.

    Both of each evaluation so far, in order. A single small rise is noise: of few rows, and of the
    order in which they come.
    """
    lowest = min(range(len(validation)), key=validation.__getitem__, default=0)
    if len(validation) - 1 <= lowest or validation[-1] <= validation[-2]:
        return None
    twice = len(validation) - 1 - lowest > 1 and validation[-2] > validation[-3]
    if not twice and validation[-1] - validation[lowest] <= RISE * abs(validation[lowest]):
        return None
    if training[-1] >= training[lowest]:
        return None
    return Overfitting((validation[lowest], validation[-1]), (training[lowest], training[-1]))
