"""The names of the training rows, looked up: what is known by heart is found, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import cast

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Tag
from afina.tasks.tag import said
from afina.tasks.words import words
from afina.types import Answer, Input, Span, TaggedExample

Name = tuple[str, ...]
LONGEST_NAME = 24
"""Words of the longest name that is kept."""


def build(request: Request) -> Baseline:
    """Longest name first, from left to right, without regard to case. A run of words that is seldom
    a name in the training rows is none; one with several labels has the most frequent."""
    request.of(Tag, "gazetteer", "labels words")
    labels: dict[Name, Counter[str]] = defaultdict(Counter)
    rows = [cast(TaggedExample, example) for example in request.train]
    for row in rows:
        for span in row.spans:
            name = _name(row.text[span.start : span.end])
            if 0 < len(name) <= LONGEST_NAME:
                labels[name][span.label] += 1
    longest = max(map(len, labels), default=0)
    known = {
        name: sorted(c.items(), key=lambda i: (-i[1], i[0]))[0][0] for name, c in labels.items()
    }
    seen: Counter[Name] = Counter()
    for row in rows:
        seen.update(name for _, _, name in _matches(row.text, known, longest))
    often = {n: label for n, label in known.items() if 2 * labels[n].total() >= seen[n]}

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [_found(given.text, often, longest) for given in inputs]

    what = f"{len(often):,} names of the training rows, looked up"
    return Fitted("gazetteer", Facts(what), predict)


def _name(text: str) -> Name:
    return tuple(text[start:end].casefold() for start, end in words(text))


def _matches(text: str, known: dict[Name, str], longest: int) -> list[tuple[int, int, Name]]:
    """(first character, the one after the last, name) of the names in a text, longest first."""
    places = words(text)
    cut = [text[start:end].casefold() for start, end in places]
    found: list[tuple[int, int, Name]] = []
    at = 0
    while at < len(cut):
        lengths = range(min(longest, len(cut) - at), 0, -1)
        size = next((n for n in lengths if tuple(cut[at : at + n]) in known), 0)
        if size:
            name = tuple(cut[at : at + size])
            found.append((places[at][0], places[at + size - 1][1], name))
        at += size or 1
    return found


def _found(text: str, known: dict[Name, str], longest: int) -> Answer:
    matches = _matches(text, known, longest)
    return said([Span(s, e, known[name], text[s:e]) for s, e, name in matches])
