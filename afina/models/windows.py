"""A question with a long text as windows that overlap, and where a text's tokens stand in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from afina.errors import DataError
from afina.types import Window


def cut_windows(
    backend: Any, question: str, context: str, size: int, overlap: int
) -> tuple[Window, ...]:
    """What ``ChatRenderer.windows`` gives, of a tokenizer's backend."""
    found = backend.encode(question, context, add_special_tokens=True)
    inside = [i for i, text in enumerate(found.sequence_ids) if text == 1]
    begin, end = (inside[0], inside[-1] + 1) if inside else (len(found.ids), len(found.ids))
    room = size - (len(found.ids) - (end - begin))
    if room < end - begin and room <= overlap:
        raise DataError(
            f"a question of {begin} tokens leaves room for {room} of its text in a window of "
            f"{size}, and windows share {overlap}",
            where=f"question beginning {question[:40]!r}",
            do="raise task.window, lower task.overlap, or shorten the question",
        )
    cuts = [begin]
    while cuts[-1] + room < end:
        cuts.append(cuts[-1] + room - overlap)
    return tuple(
        Window(
            (*found.ids[:begin], *found.ids[cut : min(cut + room, end)], *found.ids[end:]),
            ((0, 0, 0), *_placed(context, found.offsets[cut : min(cut + room, end)], begin)),
        )
        for cut in cuts
    )


def _placed(
    text: str, offsets: Sequence[tuple[int, int]], first: int
) -> Iterator[tuple[int, int, int]]:
    """(token, first character, the one after the last) of tokens from ``first`` on that hold a sign."""
    for token, (begin, end) in enumerate(offsets, first):
        piece = text[begin:end]
        if inner := piece.strip():
            start = begin + piece.index(inner)
            yield token, start, start + len(inner)
