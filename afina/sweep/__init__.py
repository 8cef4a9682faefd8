"""Which settings train best: many short-lived trials of one recipe, compared on its validation rows.

Does not know how a step of training works, and never opens the sealed test.
"""

from afina.sweep.outcome import Found
from afina.sweep.sweeping import sweep

__all__ = ["Found", "sweep"]
