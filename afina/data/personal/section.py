"""Personal data in the rows of a data set, as findings; and the values by split, for the index."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from afina.data.content import named_texts
from afina.data.findings import Finding, Placed, Section
from afina.data.personal.scan import People, Stretch, masked, plain, scan


def find(
    rows: Sequence[Placed], people: People | None = None
) -> tuple[Section, Mapping[str, frozenset[tuple[str, str]]]]:
    """The section, and for each split the (kind, value in plain form) that its rows hold.

    ``people`` finds names.
    """
    findings: list[Finding] = []
    counts: Counter[str] = Counter()
    held: dict[str, set[tuple[str, str]]] = defaultdict(set)
    names = _names(rows, people) if people else {}
    for row in rows:
        for column, text in named_texts(row.example):
            for hit in scan(text, names.get(text, ())):
                value = text[hit.start : hit.end]
                counts[hit.kind] += 1
                held[row.part].add((hit.kind, plain(hit.kind, value)))
                findings.append(
                    Finding(
                        "personal",
                        row.example.id,
                        row.example.where,
                        row.part,
                        f"{hit.kind} in {column}: {masked(value)}",
                        facts={"data": hit.kind, "column": column, "at": [hit.start, hit.end]},
                    )
                )
    section = Section({"values": dict(sorted(counts.items()))}, findings)
    return section, {part: frozenset(values) for part, values in held.items()}


def _names(rows: Sequence[Placed], people: People) -> dict[str, Sequence[Stretch]]:
    """Where each text names people; all are asked together, as models like them."""
    texts = list(dict.fromkeys(text for row in rows for _, text in named_texts(row.example)))
    return dict(zip(texts, people(texts), strict=True))
