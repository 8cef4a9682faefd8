"""What is left of a row that is too long: the same in training, in the evaluation and in serving.

A text loses its end (the closing special token stays), a conversation the beginning of its prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from afina.types import IGNORED, Encoded, Head


def shorten(row: Encoded, head: Head, most: int) -> Encoded | None:
    """A row of at most ``most`` tokens; None if that would cut an answer or a stretch looked for."""
    if row.others:
        parts = [shorten(replace(s, others=()), head, most) for s in row.sequences]
        whole = [p for p in parts if p is not None]
        return replace(whole[0], others=tuple(whole[1:])) if len(whole) == len(parts) else None
    excess = len(row.ids) - most
    if excess <= 0:
        return row
    if head == "tags":
        return None
    if head != "tokens":
        return replace(row, ids=shorten_prompt(row.ids, head, most))
    if any(t != IGNORED for t in row.targets[: excess + 1]):
        return None
    targets = tuple(int(t) for t in row.targets[excess:])
    return replace(row, ids=row.ids[excess:], targets=targets)


def shorten_prompt(ids: Sequence[int], head: Head, most: int) -> tuple[int, ...]:
    """A prompt, or a text, of at most ``most`` tokens."""
    if len(ids) <= most:
        return tuple(ids)
    return tuple(ids[-most:]) if head == "tokens" else (*ids[: most - 1], ids[-1])
