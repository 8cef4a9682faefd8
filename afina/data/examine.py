"""Every analysis of the rows that takes time: asked for by the check and once by a run.

Nothing is changed by it: it points at rows, and a person decides (or ``mend`` is told to).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afina.data import cut_off, diversity, label_errors, language, leaks, outliers, personal
from afina.data.alike import NearDuplicates
from afina.data.findings import Finding, Placed, Quality, Section
from afina.recipe.knobs import Data
from afina.types import Example


def examine(
    parts: Mapping[str, Sequence[Example]],
    data: Data,
    near: NearDuplicates,
    tokens: Mapping[str, int] | None = None,
    general: Mapping[str, Sequence[Example]] | None = None,
    people: personal.People | None = None,
) -> Quality:
    """All analyses of the rows of all splits. ``tokens``: of each row by id, where they are known.
    ``near``: what the preparation found, to stand in the list too. ``general``: replayed rows, which
    are looked at for personal data only. ``people`` finds names.

    Raises DataError if the file of a benchmark cannot be read.
    """
    rows = [Placed(example, part) for part, some in parts.items() for example in some]
    sections: dict[str, Section] = {
        "near_duplicates": _near(near, rows),
        "leaks": leaks.find(rows, data),
        "label_errors": label_errors.find(rows),
        "cut_off": cut_off.find(rows, tokens),
        "languages": language.find(rows),
        "outliers": outliers.find(rows),
        "diversity": diversity.measure(rows),
    }
    others = [Placed(e, part) for part, some in (general or {}).items() for e in some]
    sections["personal"], held = personal.find([*rows, *others], people)
    return Quality(sections, held)


def _near(near: NearDuplicates, rows: Sequence[Placed]) -> Section:
    """Each pair at the later of its rows; that of a row which was dropped for it is left out."""
    parts = {row.example.id: row.part for row in rows}
    findings = [
        Finding(
            "near_duplicate",
            pair.ids[1],
            pair.where[1],
            parts[pair.ids[1]],
            f"{pair.similarity:.0%} like {pair.where[0]}",
            pair.similarity,
            {"other": pair.where[0], "other_id": pair.ids[0]},
        )
        for pair in near.pairs
        if pair.ids[0] in parts and pair.ids[1] in parts
    ]
    return Section({"pairs": near.found}, findings)
