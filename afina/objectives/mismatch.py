"""Answers behind the wrong prompts, by which KTO sees how far a model has moved in general."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from afina.types import IGNORED, Encoded


def with_mismatches(rows: Sequence[Encoded]) -> tuple[Encoded, ...]:
    """Each row with a mismatched sequence (``worth`` 0) for each of its own.

    An answer's place is taken by one to another prompt: the longest that is no longer, so that no row
    grows; where there is none, the shortest other one that stays within the longest row. A sequence
    without either has no mismatch.
    """
    own = sorted(
        {(_answer(s), _prompt(s)) for row in rows for s in row.sequences},
        key=lambda pair: (len(pair[0][0]), pair),
    )
    place = {pair: i for i, pair in enumerate(own)}
    limit = max((row.longest for row in rows), default=0)
    found: list[Encoded] = []
    for row in rows:
        extra = [_mismatch(s, own, place, limit) for s in row.sequences]
        found.append(replace(row, others=(*row.others, *(e for e in extra if e is not None))))
    return tuple(found)


Ids = tuple[int, ...]
Answered = tuple[tuple[Ids, Ids], Ids]
"""An answer's ids and targets, and the prompt it belongs to."""


def _mismatch(
    sequence: Encoded, own: Sequence[Answered], place: Mapping[Answered, int], limit: int
) -> Encoded | None:
    prompt = _prompt(sequence)
    here = place[_answer(sequence), prompt]
    for i in chain(range(here - 1, -1, -1), range(here + 1, len(own))):
        (ids, targets), asked = own[i]
        if asked != prompt and len(prompt) + len(ids) <= limit:
            ignored = (IGNORED,) * len(prompt)
            return Encoded(sequence.row, (*prompt, *ids), (*ignored, *targets), worth=0.0)
    return None


def _begin(sequence: Encoded) -> int:
    return next(i for i, target in enumerate(sequence.targets) if target != IGNORED)


def _prompt(sequence: Encoded) -> Ids:
    return sequence.ids[: _begin(sequence)]


def _answer(sequence: Encoded) -> tuple[Ids, Ids]:
    begin = _begin(sequence)
    return sequence.ids[begin:], tuple(int(t) for t in sequence.targets[begin:])
