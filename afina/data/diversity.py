"""How varied the rows are, and how well each label is covered: figures, no findings.

Effective numbers are exponentials of entropies (Hill 1973): as many labels, or openings, of equal
size would be as varied. Distinct pairs follow Li et al. 2016 (distinct-2), over the first words that
a fixed number of rows holds, as the share falls with the size of the text.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
    texts = [normal_input(row.example).removeprefix("user ").split() for row in rows]
    vocabulary = {word for words in texts for word in words}
    openings = Counter(" ".join(words[:OPENING_WORDS]) for words in texts)
    figures: dict[str, Any] = {
        "words": sum(map(len, texts)),
        "vocabulary": len(vocabulary),
        "distinct_pairs": _distinct_pairs(rows, texts),
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


def _distinct_pairs(rows: Sequence[Placed], texts: Sequence[Sequence[str]]) -> float | None:
    """Share of different pairs of neighbouring words; None where there are too few words."""
    order = sorted(range(len(rows)), key=lambda i: digest(f"words {rows[i].example.id}"))
    pairs: list[tuple[str, str]] = []
    for i in order:
        pairs += zip(texts[i], texts[i][1:], strict=False)
        if len(pairs) >= MEASURED_WORDS:
            pairs = pairs[:MEASURED_WORDS]
            return round(len(set(pairs)) / len(pairs), 4)
    return None
