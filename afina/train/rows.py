"""Examples as numbers, once, before training: what is too long or has no loss is found here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from afina.errors import DataError
from afina.models.length import shorten
from afina.train.batches import loss_tokens
from afina.types import Encoded, Example, Objective, Renderer, Targets, Task


@dataclass(frozen=True)
class Rows:
    """Encoded rows, and what happened to the others."""

    kept: tuple[Encoded, ...]
    kind: Targets
    """What their targets mean."""
    dropped: tuple[tuple[str, str], ...] = ()
    """(where, reason) of rows left out."""
    truncated: int = 0
    """Rows that were shortened, as train.on_too_long asked."""
    shape: type[Example] = Example
    """The kind of example they were made from."""
    replayed: int = 0
    """How many of the kept ones, the last, are general rows (``data.replay``)."""

    @property
    def own(self) -> tuple[Encoded, ...]:
        """The kept rows of the task itself."""
        return self.kept[: len(self.kept) - self.replayed]

    def with_general(self, others: Rows) -> Rows:
        """These rows, and general ones beside them."""
        return replace(
            self,
            kept=(*self.kept, *others.kept),
            dropped=(*self.dropped, *others.dropped),
            truncated=self.truncated + others.truncated,
            replayed=len(others.kept),
        )

    @property
    def widest(self) -> int:
        """Most tokens that one row takes in a padded pass: its longest sequence for each of its own, and
        as much again where a source is read."""
        each = (r.longest * len(r.sequences) * (2 if r.source else 1) for r in self.kept)
        return max(each, default=0)

    @property
    def longest(self) -> int:
        return max((r.longest for r in self.kept), default=0)

    @property
    def tokens(self) -> int:
        return sum(r.tokens for r in self.kept)

    @property
    def loss_tokens(self) -> int:
        return sum(loss_tokens(r, self.kind) for r in self.kept)


@dataclass(frozen=True)
class _Together(Rows):
    parts: tuple[Rows, ...] = ()

    @property
    def loss_tokens(self) -> int:
        return sum(part.loss_tokens for part in self.parts)


def together(rows: Mapping[str, Rows]) -> Rows:
    """The rows of all tasks of a run, to be counted; what a target means only each task knows."""
    parts = tuple(rows.values())
    first = parts[0]
    if len(parts) == 1:
        return first
    return _Together(
        kept=tuple(row for part in parts for row in part.kept),
        kind=first.kind,
        dropped=tuple(each for part in parts for each in part.dropped),
        truncated=sum(part.truncated for part in parts),
        shape=first.shape,
        parts=parts,
    )


def encode(
    examples: Sequence[Example],
    task: Task,
    renderer: Renderer,
    *,
    max_length: int | None,
    on_too_long: str,
    objective: Objective | None = None,
) -> Rows:
    """Encode examples, arranged as the objective wants them. ``max_length`` None: as long as they are.

    Raises DataError, naming up to 20 rows, if a row is too long and ``on_too_long`` is ``error``,
    if an answer alone is too long, or if a row has no token in the loss.
    """
    kept: list[Encoded] = []
    dropped: list[tuple[str, str]] = []
    truncated = 0
    refused: list[str] = []
    for example in examples:
        row = task.encode(example, renderer)
        if task.targets in ("tokens", "tags") and not loss_tokens(row, task.targets):
            refused.append(f"{example.where}: no token is in the loss")
            continue
        if max_length is None or row.longest <= max_length:
            kept.append(row)
            continue
        reason = f"{row.longest} tokens, the limit is {max_length}"
        if on_too_long == "drop":
            dropped.append((example.where, reason))
            continue
        short = shorten(row, task.head, max_length) if on_too_long == "truncate" else None
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
    arranged = tuple(kept) if objective is None else objective.arrange(kept)
    shape = type(examples[0]) if examples else Example
    return Rows(arranged, task.targets, tuple(dropped), truncated, shape)
