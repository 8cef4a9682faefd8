"""What a watcher of a training is told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What a watcher of a run is told: after an optimiser step, an evaluation, or an alert.

    ``score``: of an evaluation, what the best one is chosen by; lower is better.
    """

    step: int
    steps: int
    epoch: float
    loss: float | None = None
    validation_loss: float | None = None
    score: float | None = None
    tokens_per_second: float = 0.0
    seconds_left: float = 0.0
    memory_bytes: int = 0
    alert: str = ""


Watcher = Callable[[Step], None]
