"""Which loss. A new objective is one file here, one line in ``OBJECTIVES`` and one test row."""

from __future__ import annotations

from afina.objectives.supervised import Supervised
from afina.types import Objective

OBJECTIVES: tuple[type[Objective], ...] = (Supervised,)

__all__ = ["OBJECTIVES", "Supervised"]
