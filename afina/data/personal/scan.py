"""Personal data in texts: where they stand and of which kind; a value is never shown whole."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from afina.data.personal.patterns import KINDS

PERSON = "person"
"""The kind of a name, which no pattern tells."""
Stretch = tuple[int, int]
People = Callable[[Sequence[str]], Sequence[Sequence[Stretch]]]
"""Where each of some texts names people: a model's word, passed in."""
_ANY = re.compile(r"[@0-9]|::")
_DIGIT = re.compile("[0-9]")


@dataclass(frozen=True, slots=True)
class Hit:
    """One value in a text: ``text[start:end]`` is of that kind."""

    kind: str
    start: int
    end: int


def scan(text: str, people: Sequence[Stretch] = ()) -> list[Hit]:
    """Every value of a known kind, in order; none overlaps another. ``people``: where names stand."""
    hits = _by_pattern(text) if _ANY.search(text) is not None else []
    for start, end in people:
        if all(end <= hit.start or start >= hit.end for hit in hits):
            hits.append(Hit(PERSON, start, end))
    return sorted(hits, key=lambda hit: hit.start)


def _by_pattern(text: str) -> list[Hit]:
    digits, at, colon = _DIGIT.search(text), "@" in text, ":" in text
    hits: list[Hit] = []
    for kind in KINDS:
        if not (at if kind.needs == "@" else colon if kind.needs == ":" else digits):
            continue
        for start, end in kind.find(text):
            if all(end <= hit.start or start >= hit.end for hit in hits):
                hits.append(Hit(kind.name, start, end))
    return hits


def plain(kind: str, value: str) -> str:
    """The form in which one value is one value, however it was written."""
    if kind == "email":
        return value.casefold()
    if kind in ("address", "birth_date", PERSON):
        return " ".join(re.sub(r"[\W_]+", " ", value.casefold()).split())
    if kind in ("ipv4", "ipv6"):
        return value.lower()
    compact = re.sub(r"[^0-9A-Za-z]", "", value).upper()
    if kind == "phone":
        digits = compact.removeprefix("00")
        return digits.removeprefix("34") if len(digits) == 11 else digits
    return compact


def masked(value: str) -> str:
    """The length and two characters, of a short value fewer: enough to find it, not to know it."""
    return f"{value[: min(2, len(value) // 3)]}… ({len(value)} characters)"
