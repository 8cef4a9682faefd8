"""Rows of a pass laid end to end: no padding, and a beginning that rows share stands there once.

Every layer of a decoder but its attention works on each token alone, so a flat line of tokens [1, T]
gives the same states as padded rows, and a token that opens several rows in the same way has the same
state in all of them. The line is cut into blocks, the nodes of a tree: a block's tokens follow those of
its ancestors, and attention looks along that path only. Same idea as prefix sharing for preference
pairs (Wang and Hegde 2024, arXiv 2410.20305), for any tree of rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from afina.types import Batch

LEAST_SHARED = 4
"""Tokens that two rows must share before their common beginning becomes a block of its own."""


@dataclass
class Block:
    """Tokens ``ids`` at positions from ``start`` on, behind the blocks ``above`` (root first)."""

    ids: tuple[int, ...]
    start: int
    above: tuple[int, ...]
    flat: int = 0
    """Where its first token stands in the flat line."""
    below: list[int] = field(default_factory=list)
    """Blocks that look at this one besides itself."""

    @property
    def end(self) -> int:
        return self.start + len(self.ids)


def lay_out(rows: Sequence[Sequence[int]], *, share: bool = True) -> Layout:
    """The layout of token rows. Without ``share`` every row is one block."""
    blocks: list[Block] = []
    last = [0] * len(rows)
    _grow(blocks, last, [tuple(r) for r in rows], list(range(len(rows))), 0, (), share)
    place = 0
    for number, block in enumerate(blocks):
        block.flat = place
        place += len(block.ids)
        for parent in block.above:
            blocks[parent].below.append(number)
    return Layout(blocks, last, [len(r) for r in rows])


def _grow(
    blocks: list[Block],
    last: list[int],
    rows: Sequence[tuple[int, ...]],
    group: list[int],
    start: int,
    above: tuple[int, ...],
    share: bool,
) -> None:
    """Add the blocks of the rows ``group``, which are alike before ``start``."""
    pending = group
    while pending:
        first, *others = pending
        shared = [first]
        width = len(rows[first]) - start
        if share:
            near = [o for o in others if _alike(rows[first], rows[o], start) >= LEAST_SHARED]
            for other in near:
                alike = _alike(rows[first], rows[other], start)
                width = min(width, alike)
                shared.append(other)
        pending = [i for i in pending if i not in set(shared)]
        number = len(blocks)
        blocks.append(Block(rows[first][start : start + width], start, above))
        path = (*above, number)
        rest = [i for i in shared if len(rows[i]) > start + width]
        for i in shared:
            last[i] = number
        _grow(blocks, last, rows, rest, start + width, path, share)


def _alike(one: Sequence[int], other: Sequence[int], start: int) -> int:
    """Tokens from ``start`` on that two rows have in common."""
    count = 0
    for a, b in zip(one[start:], other[start:], strict=False):
        if a != b:
            break
        count += 1
    return count


class Layout:
    """Index tables of a flat line. S blocks, Q tokens in the longest block, K on the longest path."""

    def __init__(self, blocks: list[Block], last: list[int], lengths: list[int]) -> None:
        self.blocks = blocks
        self.tokens = sum(len(b.ids) for b in blocks)
        self.ids = torch.tensor([i for b in blocks for i in b.ids])
        self.positions = torch.tensor([p for b in blocks for p in range(b.start, b.end)])
        paths = [[*self._above(b), *range(b.flat, b.flat + len(b.ids))] for b in blocks]
        self.query_index = _padded([list(range(b.flat, b.flat + len(b.ids))) for b in blocks])
        self.key_index = _padded(paths)
        self.places = _padded([paths[n][:length] for n, length in zip(last, lengths, strict=True)])
        """Flat place [B, width] of each token of each row."""
        wide, long = self.query_index.shape[1], self.key_index.shape[1]
        owner = [(n, b) for n, b in enumerate(blocks) for _ in b.ids]
        position = self.positions.tolist()
        self.query_home = torch.tensor(
            [n * wide + p - b.start for (n, b), p in zip(owner, position, strict=True)]
        )
        """Where each token stands among the padded queries [S × Q], and among the keys [S × K]."""
        self.key_home = torch.tensor(
            [n * long + p for (n, _), p in zip(owner, position, strict=True)]
        )
        self._tables: dict[tuple[str, int], torch.Tensor] = {}
        self._biases: dict[int | None, torch.Tensor] = {}

    def _above(self, block: Block) -> list[int]:
        found: list[int] = []
        for number in block.above:
            parent = self.blocks[number]
            found += range(parent.flat, parent.flat + len(parent.ids))
        return found

    @property
    def longest(self) -> int:
        """Tokens of the longest row."""
        return int(self.key_index.shape[1])

    def homes(self, lengths: torch.Tensor) -> torch.Tensor:
        """For each flat token a place among the padded rows [B × width] where it stands."""
        width = self.places.shape[1]
        found = torch.empty(self.tokens, dtype=torch.long)
        for row, length in enumerate(lengths.tolist()):
            found[self.places[row, :length]] = torch.arange(row * width, row * width + length)
        return found

    def table(self, name: str, heads: int) -> torch.Tensor:
        """An index table from rows [T × H] (``query``, ``key``) or back to them (``…_home``), int64."""
        if (name, heads) not in self._tables:
            which = torch.arange(heads)
            if name.endswith("_home"):
                home = self.query_home if name == "query_home" else self.key_home
                width = (self.query_index if name == "query_home" else self.key_index).shape[1]
                block, place = home // width, home % width
                made = (block[:, None] * heads + which) * width + place[:, None]  # [T, H]
            else:
                index = self.query_index if name == "query" else self.key_index
                made = index[:, None, :] * heads + which[None, :, None]  # [S, H, L]
            self._tables[name, heads] = made.flatten()
        return self._tables[name, heads]

    def bias(self, window: int | None) -> torch.Tensor:
        """What is added to the scores, float32 [S, 1, Q, K]: 0 where a token may look, else the lowest
        number. ``window``: how far back a layer looks, itself included; None: to the beginning."""
        if window is not None and window >= self.longest:
            window = None
        if window not in self._biases:
            starts = torch.tensor([b.start for b in self.blocks])
            wide, long = self.query_index.shape[1], self.key_index.shape[1]
            query = (starts[:, None] + torch.arange(wide))[:, :, None]
            key = torch.arange(long)[None, None, :]
            seen = key <= query
            if window is not None:
                seen &= query - key < window
            made = torch.zeros(seen.shape)
            made.masked_fill_(~seen, torch.finfo(torch.float32).min)
            self._biases[window] = made[:, None]
        return self._biases[window]


def _padded(rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Int64 [N, L], padded on the right with 0."""
    width = max(len(r) for r in rows)
    return torch.tensor([[*r, *([0] * (width - len(r)))] for r in rows])


def of_batch(batch: Batch, *, share: bool = True) -> Layout:
    """The layout of a batch's sequences."""
    lengths = batch.lengths.tolist()
    rows = [ids[:n] for ids, n in zip(batch.ids.tolist(), lengths, strict=True)]
    return lay_out(rows, share=share)
