"""What an analysis found in the rows: figures, and a list of places with the reason of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from afina.data.rows import file_and_row
from afina.types import Example

KINDS = ("near_duplicate", "leak", "label_error", "cut_off", "language", "outlier", "personal")
"""Every kind of finding."""
SHOWN = 20
"""Findings given as examples; the counts cover all, and the list of findings holds all."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A row and the split it stands in."""

    example: Example
    part: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One row that an analysis points at. ``what`` says why, without the content of the row."""

    kind: str
    id: str
    where: str
    part: str
    what: str
    score: float | None = None
    """How sure or how far, by the analysis; the list is in this order."""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """One line of ``findings.jsonl``."""
        file, row = file_and_row(self.where)
        line: dict[str, Any] = {"kind": self.kind, "file": file, "row": row, "part": self.part}
        line |= {"id": self.id, "what": self.what, "where": self.where}
        line |= {"score": round(self.score, 6)} if self.score is not None else {}
        return line | dict(self.facts)


@dataclass(frozen=True, slots=True)
class Section:
    """One analysis: its figures, and its findings in order of weight."""

    figures: Mapping[str, Any]
    findings: Sequence[Finding] = ()

    def as_dict(self) -> dict[str, Any]:
        """Figures, the number of rows by kind, and the first findings."""
        rows = {f.where for f in self.findings}
        return {
            **self.figures,
            "rows": len(rows),
            "kinds": dict(sorted(Counter(f.kind for f in self.findings).items())),
            "examples": [f.as_dict() for f in self.findings[:SHOWN]],
        }


@dataclass(frozen=True, slots=True)
class Quality:
    """All analyses of a data set, by name."""

    sections: Mapping[str, Section]
    personal: Mapping[str, frozenset[tuple[str, str]]]
    """For each split, the (kind, value) of the personal data in its rows: never shown, only hashed."""

    @property
    def findings(self) -> list[Finding]:
        """Every finding, analysis by analysis."""
        return [f for section in self.sections.values() for f in section.findings]

    def as_dict(self) -> dict[str, Any]:
        """For ``check.json``."""
        return {name: section.as_dict() for name, section in self.sections.items()}
