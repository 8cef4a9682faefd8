"""Every analysis of the rows that takes time: asked for by the check and once by a run.

Nothing is changed by it: it points at rows, and a person decides (or ``mend`` is told to).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afina.data import cut_off, diversity, label_errors, language, leaks, outliers, personal
from afina.data.findings import Placed, Quality, Section
from afina.recipe.knobs import Data
from afina.types import Example


def examine(
    parts: Mapping[str, Sequence[Example]],
    data: Data,
    tokens: Mapping[str, int] | None = None,
) -> Quality:
    """All analyses of the rows of all splits. ``tokens``: of each row by id, where they are known.

    Raises DataError if the file of a benchmark cannot be read.
    """
    rows = [Placed(example, part) for part, some in parts.items() for example in some]
    sections: dict[str, Section] = {
        "leaks": leaks.find(rows, data),
        "label_errors": label_errors.find(rows),
        "cut_off": cut_off.find(rows, tokens),
        "languages": language.find(rows),
        "outliers": outliers.find(rows),
        "diversity": diversity.measure(rows),
    }
    sections["personal"], held = personal.find(rows)
    return Quality(sections, held)
