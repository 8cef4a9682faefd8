"""How varied the rows are, and how well each label is covered: figures, no findings.

Effective numbers are exponentials of entropies (Hill 1973): as many labels, or openings, of equal
size would be as varied. Distinct pairs follow Li et al. 2016 (distinct-2), over the first words that
a fixed number of rows holds, as the share falls with the size of the text.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

from afina.data.content import digest, normal_input
from afina.data.findings import Placed, Section
from afina.types import LabelledExample

MEASURED_WORDS = 10_000
OPENING_WORDS = 3
FEW_OF_A_LABEL = 10
"""Rows of a label below which it is hardly covered."""


def measure(rows: Sequence[Placed]) -> Section:
    """Vocabulary, openings and labels of all rows."""
    total = 0
    vocabulary: set[str] = set()
    openings: Counter[str] = Counter()
    for row in rows:
        words = _words(row)
        total += len(words)
        vocabulary.update(words)
        openings[" ".join(words[:OPENING_WORDS])] += 1
    figures: dict[str, Any] = {
        "words": total,
        "vocabulary": len(vocabulary),
        "distinct_pairs": _distinct_pairs(rows),
        "openings": {
            "effective": effective(openings.values()),
            "most_common": _most(openings),
        },
    }
    labels = Counter(
        label
        for row in rows
        if isinstance(row.example, LabelledExample)
        for label in row.example.labels
    )
    if labels:
        few = sorted(name for name, count in labels.items() if count < FEW_OF_A_LABEL)
        figures["labels"] = {
            "number": len(labels),
            "effective": effective(labels.values()),
            "hardly_covered": few,
        }
    return Section(figures)


def effective(counts: Iterable[int]) -> float:
    """The exponential of the entropy of some counts."""
    some = [count for count in counts if count]
    total = sum(some)
    if not total:
        return 0.0
    return round(math.exp(-sum(c / total * math.log(c / total) for c in some)), 2)


def _most(counts: Mapping[str, int]) -> dict[str, Any]:
    total = sum(counts.values())
    name, count = min(counts.items(), key=lambda c: (-c[1], c[0]), default=("", 0))
    return {"text": name, "share": round(count / total, 4) if total else 0.0}


def _words(row: Placed) -> list[str]:
    return normal_input(row.example).removeprefix("user ").split()


def _distinct_pairs(rows: Sequence[Placed]) -> float | None:
    """Share of different pairs of neighbouring words; None where there are too few words."""
    ranked = ((digest(f"words {row.example.id}"), i) for i, row in enumerate(rows))
    pairs: list[tuple[str, str]] = []
    for _, i in heapq.nsmallest(MEASURED_WORDS, ranked):
        words = _words(rows[i])
        pairs += pairwise(words)
        if len(pairs) >= MEASURED_WORDS:
            pairs = pairs[:MEASURED_WORDS]
            return round(len(set(pairs)) / len(pairs), 4)
    return None
