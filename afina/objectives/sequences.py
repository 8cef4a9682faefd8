"""What the objectives share that look at whole answers: sums over the tokens of a sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afina.types import IGNORED, Batch, Network

if TYPE_CHECKING:
    import torch


def answer_counts(batch: Batch) -> torch.Tensor:
    """Tokens in the loss [B] of each sequence."""
    return (batch.targets[:, 1:] != IGNORED).sum(1)


def answer_sums(network: Network, batch: Batch) -> torch.Tensor:
    """Log-probability [B] of the tokens in the loss of each sequence, summed; differentiable."""
    import torch

    each = network.token_logprobs(batch)
    counts = answer_counts(batch)
    place = torch.repeat_interleave(torch.arange(len(counts), device=each.device), counts)
    return torch.zeros(len(counts), device=each.device).index_add(0, place, each)


def worths(batch: Batch) -> torch.Tensor:
    """``Batch.worth``; 1 for each sequence of a batch that was made without."""
    import torch

    if batch.worth is None:
        return torch.ones(len(batch.lengths), device=batch.lengths.device)
    return batch.worth
