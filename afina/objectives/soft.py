"""What another network says of the answer's tokens, noted once, and how far a network is from it.

Of each token in the loss the most probable ``count`` tokens and their log-probabilities are kept, not
the whole vocabulary; what is left over counts as one more token. Layout of a sequence's notes: for each
of its tokens in the loss ``count`` ids, then ``count`` log-probabilities.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from afina.objectives.sequences import answer_counts
from afina.types import IGNORED, Batch, Network

if TYPE_CHECKING:
    import torch

LEAST = 1e-6
"""Smallest mass that the left-over tokens are taken to have."""


def note_tokens(network: Network, batch: Batch, count: int) -> torch.Tensor:
    """The notes [B, K] of each sequence, padded with 0."""
    import torch

    ids, logprobs = network.option_logprobs(batch, count)
    counts = answer_counts(batch).tolist()
    each = torch.split(torch.cat([ids.float(), logprobs], dim=1), counts)
    return torch.nn.utils.rnn.pad_sequence([part.reshape(-1) for part in each], batch_first=True)


def answers_and_divergence(
    network: Network, batch: Batch, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """From one pass: the log-probability [N] of each target in the loss, and the KL divergence [N] of
    the network from the notes there; differentiable."""
    import torch

    assert batch.noted is not None
    counts = answer_counts(batch)
    width = 2 * count
    inside = torch.arange(batch.noted.shape[1], device=counts.device) < (counts * width)[:, None]
    notes = batch.noted[inside].view(-1, width)
    ids, theirs = notes[:, :count].long(), notes[:, count:]
    wanted = batch.targets[:, 1:]
    right = wanted[wanted != IGNORED]
    _, asked = network.option_logprobs(batch, torch.cat([ids, right[:, None]], dim=1))
    ours = asked[:, :count]
    rest, own_rest = _left(theirs), _left(ours)
    kept = (theirs.exp() * (theirs - ours)).sum(1)
    return asked[:, count], kept + rest * (rest.log() - own_rest.log())


def _left(logprobs: torch.Tensor) -> torch.Tensor:
    return (1 - logprobs.exp().sum(1)).clamp(min=LEAST)
