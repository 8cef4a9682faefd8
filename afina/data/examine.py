"""Every analysis of the rows that takes time: asked for by the check and once by a run.

Nothing is changed by it: it points at rows, and a person decides (or ``mend`` is told to).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afina.data import personal
from afina.data.findings import Placed, Quality, Section
from afina.recipe.knobs import Data
from afina.types import Example


def examine(parts: Mapping[str, Sequence[Example]], data: Data) -> Quality:
    """All analyses of the rows of all splits."""
    rows = [Placed(example, part) for part, some in parts.items() for example in some]
    sections: dict[str, Section] = {}
    sections["personal"], held = personal.find(rows)
    return Quality(sections, held)
