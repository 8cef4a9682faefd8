"""Examples as numbers, once, before training: what is too long or has no loss is found here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from afina.errors import DataError
from afina.types import IGNORED, Encoded, Example, Renderer, Task


@dataclass(frozen=True)
class Rows:
    """Encoded rows, and what happened to the others."""

    kept: tuple[Encoded, ...]
    dropped: tuple[tuple[str, str], ...] = ()
    """(where, reason) of rows left out."""
    truncated: int = 0
    """Rows that were shortened, as train.on_too_long asked."""

    @property
    def longest(self) -> int:
        return max((len(r.ids) for r in self.kept), default=0)

    @property
    def tokens(self) -> int:
        return sum(len(r.ids) for r in self.kept)

    @property
    def loss_tokens(self) -> int:
        return sum(answer_length(r) for r in self.kept)


def answer_length(row: Encoded) -> int:
    """Tokens of a row that the loss counts (0 for rows with label targets)."""
    if row.targets and isinstance(row.targets[0], float):
        return 0
    return sum(1 for t in row.targets[1:] if t != IGNORED)


def encode(
    examples: Sequence[Example],
    task: Task,
    renderer: Renderer,
    *,
    max_length: int | None,
    on_too_long: str,
) -> Rows:
    """Encode examples. ``max_length`` None: as long as they are.

    Raises DataError, naming up to 20 rows, if a row is too long and ``on_too_long`` is ``error``,
    if an answer alone is too long, or if a row has no token in the loss.
    """
    kept: list[Encoded] = []
    dropped: list[tuple[str, str]] = []
    truncated = 0
    refused: list[str] = []
    for example in examples:
        row = task.encode(example, renderer)
        if task.head == "tokens" and not answer_length(row):
            refused.append(f"{example.where}: no token of the answer is in the loss")
            continue
        if max_length is None or len(row.ids) <= max_length:
            kept.append(row)
            continue
        reason = f"{len(row.ids)} tokens, the limit is {max_length}"
        if on_too_long == "drop":
            dropped.append((example.where, reason))
            continue
        short = _shorten(row, task, max_length) if on_too_long == "truncate" else None
        if short is None:
            refused.append(
                f"{example.where}: {reason}"
                + (", and the answer would be cut" if on_too_long == "truncate" else "")
            )
            continue
        kept.append(short)
        truncated += 1
    if refused:
        raise DataError(
            f"{len(refused)} of {len(examples)} rows cannot be learned as they are",
            where=refused[0],
            problems=refused[1:20],
            do="raise train.max_length, shorten the rows, or set train.on_too_long to drop or truncate",
        )
    return Rows(tuple(kept), tuple(dropped), truncated)


def _shorten(row: Encoded, task: Task, max_length: int) -> Encoded | None:
    """A text loses its end (the closing special token stays), a conversation the beginning of its
    prompt; None if that would cut an answer."""
    excess = len(row.ids) - max_length
    if task.head == "labels":
        return Encoded(row.row, (*row.ids[: max_length - 1], row.ids[-1]), row.targets)
    if any(t != IGNORED for t in row.targets[: excess + 1]):
        return None
    targets = tuple(int(t) for t in row.targets[excess:])
    return Encoded(row.row, row.ids[excess:], targets)
