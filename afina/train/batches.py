"""Which rows are seen when: a pure function of the seed and the step, so a resume sees the same.

Rows of like length share a batch: each epoch is shuffled, cut into pools of several batches, sorted
by length inside a pool, cut into batches, and the batches shuffled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from afina.types import IGNORED, Batch, Encoded, Targets

if TYPE_CHECKING:
    import torch

POOL_BATCHES = 16
"""Batches in a pool: large enough for like lengths, small enough that every step stays random."""


class Schedule:
    """The steps of a run. A step is a list of row numbers; the last of an epoch may be short."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.steps_per_epoch = -(-len(lengths) // batch_size)
        self._epoch = -1
        self._batches: list[np.ndarray] = []

    def step(self, step: int) -> list[int]:
        """Row numbers of optimiser step ``step`` (from 0), longest first."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._batches = self._arrange(epoch)
            self._epoch = epoch
        return [int(i) for i in self._batches[index]]

    def _arrange(self, epoch: int) -> list[np.ndarray]:
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(len(self.lengths))
        pool = self.batch_size * POOL_BATCHES
        batches: list[np.ndarray] = []
        for start in range(0, len(order), pool):
            rows = order[start : start + pool]
            rows = rows[np.argsort(-self.lengths[rows], kind="stable")]
            batches += [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]
        return [batches[i] for i in random.permutation(len(batches))]


def micro_batches(rows: Sequence[Encoded], size: int) -> list[list[Encoded]]:
    """The rows of a step cut into forward passes of at most ``size`` rows, like lengths together."""
    ordered = sorted(rows, key=lambda r: -r.longest)
    return [ordered[i : i + size] for i in range(0, len(ordered), size)]


def collate(rows: Sequence[Encoded], *, kind: Targets, device: torch.device) -> Batch:
    """Rows as tensors, padded on the right with 0 to the longest sequence of them."""
    import torch

    sequences = [s for row in rows for s in row.sequences]
    lengths = [len(s.ids) for s in sequences]
    ids = _padded([s.ids for s in sequences], torch.long)
    noted = [s.noted for s in sequences]
    sources = source_lengths = None
    if sequences[0].source:
        sources = _padded([s.source for s in sequences], torch.long).to(device)
        source_lengths = torch.tensor([len(s.source) for s in sequences]).to(device)
    return Batch(
        ids.to(device),
        torch.tensor(lengths).to(device),
        _targets(sequences, kind, ids.shape[1]).to(device),
        kind,
        torch.tensor([i for i, row in enumerate(rows) for _ in row.sequences]).to(device),
        tuple(r.row for r in rows),
        _padded(noted, torch.float32).to(device) if any(noted) else None,
        torch.tensor([s.worth for s in sequences], dtype=torch.float32).to(device),
        sources=sources,
        source_lengths=source_lengths,
    )


def _padded(rows: Sequence[Sequence[float]], dtype: torch.dtype) -> torch.Tensor:
    import torch

    padded = torch.zeros(len(rows), max(map(len, rows)), dtype=dtype)
    for i, numbers in enumerate(rows):
        padded[i, : len(numbers)] = torch.tensor(numbers, dtype=dtype)
    return padded


def _targets(sequences: Sequence[Encoded], kind: Targets, width: int) -> torch.Tensor:
    import torch

    if kind in ("tokens", "tags"):
        padded = torch.full((len(sequences), width), IGNORED, dtype=torch.long)
        for i, sequence in enumerate(sequences):
            padded[i, : len(sequence.targets)] = torch.tensor(sequence.targets)
        return padded
    whole = kind in ("span", "nothing")
    dtype = torch.long if whole else torch.float32
    return torch.tensor([s.targets for s in sequences], dtype=dtype)


def loss_tokens(row: Encoded, kind: Targets) -> int:
    """Tokens of a row that the loss counts, of all its sequences (0 where it counts rows)."""
    if kind not in ("tokens", "tags"):
        return 0
    first = 1 if kind == "tokens" else 0  # nothing stands before the first token to predict it from
    learned = (s for s in row.sequences if s.worth)
    return sum(1 for s in learned for t in s.targets[first:] if t != IGNORED)
