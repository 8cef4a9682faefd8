"""The cross-entropy of labels, which several objectives have in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afina.types import Batch

if TYPE_CHECKING:
    import torch


def label_loss(scores: torch.Tensor, batch: Batch, smoothing: float = 0.0) -> torch.Tensor:
    """Sum over the rows for scores [B, C]: softmax where one label is right; else a mean over labels of
    the binary ones. ``smoothing``: share of the probability spread evenly over all labels."""
    from torch.nn import functional

    targets = batch.targets
    if smoothing:
        targets = targets * (1 - smoothing) + smoothing / targets.shape[1]
    if batch.kind == "one_label":
        return functional.cross_entropy(scores, targets, reduction="sum")
    each = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
    return each.mean(dim=1).sum()
