"""Which loss. A new objective is one file here, one line in ``OBJECTIVES`` and one test row."""

from __future__ import annotations

from afina.objectives.continued import Continue
from afina.objectives.contrast import Contrast
from afina.objectives.distill import Distill
from afina.objectives.policy import Policy
from afina.objectives.prefer import Prefer
from afina.objectives.reward import Reward
from afina.objectives.supervised import Supervised
from afina.types import Objective

OBJECTIVES: tuple[type[Objective], ...] = (
    Supervised,
    Continue,
    Distill,
    Policy,
    Prefer,
    Reward,
    Contrast,
)

__all__ = [
    "OBJECTIVES",
    "Continue",
    "Contrast",
    "Distill",
    "Policy",
    "Prefer",
    "Reward",
    "Supervised",
]
