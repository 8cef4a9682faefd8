"""The contrastive loss: a query's own text nearer to it than all others of the batch.

Softmax cross-entropy over cosines, InfoNCE (van den Oord et al. 2018, arXiv 1807.03748). Every other
text of the batch stands in for the texts that do not belong to a query, so the loss is one of the whole
batch of a step, however it is cut into passes (``train/gradients.py``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from afina.types import Batch, Encoded, Example, Loss, Network, Objective, PairExample

if TYPE_CHECKING:
    import torch


class Contrast(Objective):
    """Texts that belong together come together, the others of the batch move apart.

    A text that is right for a query by any row, or equal to one that is, or to the query itself, is not
    held against it; nor is one that belongs to another row of its group (task: rank).
    """

    name: Literal["contrast"] = "contrast"
    temperature: float = Field(0.05, gt=0, le=1)
    """Cosines are divided by it; smaller looks harder at the texts that are nearly right."""
    popularity: bool = True
    """Whether the logarithm of the number of rows that a text stands in is taken from its score, so that
    what many chose is not pushed away for being in many batches (Yi et al. 2019,
    10.1145/3298689.3346996). Where every text stands in one row, it changes nothing."""
    sizes: tuple[int, ...] = ()
    """Shorter vectors that are to be good as well: the loss is also taken of the first so many numbers
    (Matryoshka, Kusupati et al. 2022, arXiv 2205.13147)."""

    needs: ClassVar[tuple[type[Example], ...]] = (PairExample,)
    whole_batch: ClassVar[bool] = True

    @field_validator("sizes")
    @classmethod
    def _sizes_are_sizes(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(sizes)) < len(sizes) or any(size < 1 for size in sizes):
            raise ValueError("different whole numbers from 1 on")
        return sizes

    def arrange(self, rows: Sequence[Encoded]) -> tuple[Encoded, ...]:
        """A query notes the numbers of the texts that are right for it by any row, a text its own
        number; a text's worth is the number of rows that it stands in."""
        numbers: dict[tuple[int, ...], int] = {}
        for row in rows:
            for text in row.others:
                numbers.setdefault(text.ids, len(numbers) + 1)
        counts = Counter(text.ids for row in rows for text in row.others)
        right: dict[object, dict[int, None]] = {}
        for row in rows:
            for key in _keys(row):
                right.setdefault(key, {})[numbers[row.others[0].ids]] = None
        known = {keys: _united(right, keys) for keys in {_keys(row) for row in rows}}
        return tuple(
            replace(
                row,
                noted=known[_keys(row)],
                others=tuple(
                    replace(text, noted=(float(numbers[text.ids]),), worth=float(counts[text.ids]))
                    for text in row.others
                ),
            )
            for row in rows
        )

    def weight(self, batch: Batch) -> float:
        return float(batch.row_of.max() + 1)

    def loss(self, network: Network, batch: Batch) -> Loss:
        whole = network.vectors(batch)
        parts = [whole, *(whole[:, :size] for size in self.sizes if size < whole.shape[1])]
        total = self._nearest(parts[0], batch)
        for part in parts[1:]:
            total = total + self._nearest(part, batch)
        return Loss(total / len(parts), self.weight(batch))

    def _nearest(self, vectors: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Sum over the queries of the cross-entropy with their own text."""
        import torch
        from torch.nn import functional

        unit = functional.normalize(vectors, dim=1)
        queries, own, texts = _places(batch.row_of)
        scores = unit[queries] @ unit[texts].t() / self.temperature
        if self.popularity and batch.worth is not None:
            scores = scores - batch.worth[texts].log()
        right = torch.searchsorted(texts, own)
        scores = scores.masked_fill(_not_wrong(batch, queries, own, texts), float("-inf"))
        return functional.cross_entropy(scores, right, reduction="sum")


def _keys(row: Encoded) -> tuple[object, ...]:
    """By what rows belong together: an equal query, and the group where there is one."""
    return (row.ids, row.group) if row.group else (row.ids,)


def _united(
    right: Mapping[object, Mapping[int, None]], keys: tuple[object, ...]
) -> tuple[float, ...]:
    """The numbers of all texts that are right by any of the keys."""
    return tuple(dict.fromkeys(float(number) for key in keys for number in right[key]))


def _places(row_of: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Places of each row's query, of its own text, and of all texts, in order."""
    import torch

    first = torch.ones_like(row_of, dtype=torch.bool)
    first[1:] = row_of[1:] != row_of[:-1]
    queries = first.nonzero()[:, 0]
    return queries, queries + 1, (~first).nonzero()[:, 0]


def _not_wrong(
    batch: Batch, queries: torch.Tensor, own: torch.Tensor, texts: torch.Tensor
) -> torch.Tensor:
    """Bool [Q, T]: texts that cannot count as wrong for a query, its own one left out of it."""
    import torch

    marked = torch.cat([batch.ids, batch.lengths[:, None]], dim=1)
    same: torch.Tensor = torch.unique(marked, dim=0, return_inverse=True)[1]
    one_query = same[queries][:, None] == same[queries][None, :]
    equals_a_right_one = same[own][:, None] == same[texts][None, :]
    found: torch.Tensor = (one_query.float() @ equals_a_right_one.float()) > 0
    found |= same[queries][:, None] == same[texts][None, :]
    if batch.noted is not None:
        for noted in batch.noted[queries].t():
            found |= noted[:, None] == batch.noted[texts, 0][None, :]
    found &= own[:, None] != texts[None, :]
    return found
