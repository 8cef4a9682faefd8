"""Texts without an answer yet: a form of them for people, and the rows that their answers make."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from afina.data.builders import number_in
from afina.data.content import composed
from afina.data.conversation import RowFault
from afina.data.sheets import Line
from afina.errors import DataError

Kind = Literal["label", "labels", "number", "text"]
"""What a person gives: one label, any number of them (joined by ``|``, ``-`` for none), a number, or
the answer in words."""
NOTHING = "-"


@dataclass(frozen=True)
class Labelling:
    """What is asked of people. ``items``: the texts by their name in the form; ``columns``: of the rows
    that come out, for the text and for its answer."""

    kind: Kind
    labels: tuple[str, ...]
    columns: tuple[str, str]
    items: Mapping[str, str]

    @property
    def form(self) -> str:
        """The name that binds a filled form to this one."""
        told = "\n".join((self.kind, *self.labels, *self.items.values()))
        return f"{hashlib.sha256(told.encode()).hexdigest()[:16]}-{len(self.items)}"

    @property
    def lines(self) -> list[dict[str, str]]:
        """The form's rows; ``right`` is to be filled in."""
        return [
            {"form": self.form, "item": item, "input": text, "right": ""}
            for item, text in self.items.items()
        ]

    @property
    def asked(self) -> dict[str, Line]:
        """Of each item what must come back unchanged."""
        return {item: {"input": text} for item, text in self.items.items()}

    def as_dict(self) -> dict[str, Any]:
        return {
            "form": self.form,
            "kind": self.kind,
            "labels": list(self.labels),
            "columns": list(self.columns),
            "items": dict(self.items),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Labelling:
        """What ``as_dict`` gave. Raises KeyError, TypeError or ValueError for anything else."""
        text, answer = facts["columns"]
        labels = tuple(map(str, facts["labels"]))
        found = cls(facts["kind"], labels, (str(text), str(answer)), dict(facts["items"]))
        if found.form != facts["form"]:
            raise ValueError("the form was changed")
        return found

    def given(self, row: Line, where: str) -> str | None:
        """What somebody answered, in the one form that is compared; None where nothing was.

        Raises DataError for a label that is not known and for what is no number.
        """
        right = composed(row.get("right", ""))
        if not right:
            return None
        if self.kind == "text":
            return right
        if self.kind == "number":
            try:
                return f"{number_in(right, 'right'):.17g}"
            except RowFault as fault:
                raise DataError(fault.what, where=f"{where}, right", do=fault.do) from None
        wished = sorted({part.strip() for part in right.split("|")})
        if self.kind == "labels" and wished == [NOTHING]:
            return NOTHING
        if self.kind == "label" and len(wished) > 1:
            raise DataError(
                "there are several labels, and a text has one here", where=where, do="keep one"
            )
        for label in wished:
            if label not in self.labels:
                known = ", ".join(self.labels[:20])
                raise DataError(f"no label is called {label}", where=where, do=f"known: {known}")
        return " | ".join(wished)

    def row(self, item: str, answer: str) -> dict[str, Any]:
        """The row that an answer makes."""
        value: Any = answer
        if self.kind == "number":
            value = float(answer)
        elif self.kind == "labels":
            value = [] if answer == NOTHING else answer.split(" | ")
        return dict(zip(self.columns, (self.items[item], value), strict=True))


def named(texts: Sequence[str]) -> dict[str, str]:
    """Texts by names that follow from what they say."""
    return {hashlib.sha256(text.encode()).hexdigest()[:12]: text for text in texts}
