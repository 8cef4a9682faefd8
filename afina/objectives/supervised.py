"""The supervised loss: distance from the right answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from afina.types import (
    IGNORED,
    Batch,
    ChatExample,
    Example,
    LabelledExample,
    Loss,
    Network,
    NumberExample,
    Objective,
    TaggedExample,
)

if TYPE_CHECKING:
    import torch


class Supervised(Objective):
    """Cross-entropy with the right answer: a mean over the answer's tokens, or over the rows.

    One label for each row: softmax cross-entropy. Several: binary cross-entropy, a mean over labels.
    A label for each token: softmax cross-entropy, a mean over the tokens that have one. A stretch:
    the mean of the cross-entropies of its two ends over the places of the row. A number: the squared
    distance.
    """

    name: Literal["supervised"] = "supervised"
    label_smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of the probability spread evenly over all labels (classification only)."""

    needs: ClassVar[tuple[type[Example], ...]] = (
        LabelledExample,
        ChatExample,
        NumberExample,
        TaggedExample,
    )

    def weight(self, batch: Batch) -> float:
        if batch.kind == "tokens":
            return float((batch.targets[:, 1:] != IGNORED).sum())
        if batch.kind == "tags":
            return float((batch.targets != IGNORED).sum())
        return float(batch.targets.shape[0])

    def loss(self, network: Network, batch: Batch) -> Loss:
        weight = self.weight(batch)
        if batch.kind == "tokens":
            return Loss(-network.token_logprobs(batch).sum(), weight)
        if batch.kind in ("tags", "span"):
            return Loss(_places_loss(network.tag_scores(batch), batch), weight)
        from torch.nn import functional

        scores = network.label_scores(batch)
        targets = batch.targets
        if batch.kind == "number":
            return Loss((scores - targets).square().mean(dim=1).sum(), weight)
        if self.label_smoothing:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
        if batch.kind == "one_label":
            return Loss(functional.cross_entropy(scores, targets, reduction="sum"), weight)
        each = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        return Loss(each.mean(dim=1).sum(), weight)


def _places_loss(scores: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Sum of the cross-entropies of ``tags`` or ``span`` targets; scores [B, T, C]."""
    import torch
    from torch.nn import functional

    if batch.kind == "tags":
        return functional.cross_entropy(
            scores.flatten(0, 1), batch.targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
    places = torch.arange(scores.shape[1], device=scores.device)
    outside = places[None, :] >= batch.lengths[:, None]
    ends = scores.masked_fill(outside[:, :, None], torch.finfo(scores.dtype).min)
    return functional.cross_entropy(ends, batch.targets, reduction="sum") / 2
