"""What is left of a row that is too long: the same in training, in the evaluation and in serving.

A text or a source loses its end (the closing special token stays), a conversation the beginning of its
prompt.
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
    if row.source:
        row = replace(row, source=shorten_prompt(row.source, most, keeps_end=False))
    excess = len(row.ids) - most
    if excess <= 0:
        return row
    if head == "tags" or row.source:
        return None
    if head != "tokens":
        return replace(row, ids=shorten_prompt(row.ids, most, keeps_end=False))
    if any(t != IGNORED for t in row.targets[: excess + 1]):
        return None
    targets = tuple(int(t) for t in row.targets[excess:])
    return replace(row, ids=row.ids[excess:], targets=targets)


def shorten_prompt(ids: Sequence[int], most: int, *, keeps_end: bool) -> tuple[int, ...]:
    """A prompt of at most ``most`` tokens; a text, whose beginning is kept, unless ``keeps_end``."""
    if len(ids) <= most:
        return tuple(ids)
    return tuple(ids[-most:]) if keeps_end else (*ids[: most - 1], ids[-1])
