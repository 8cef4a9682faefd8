"""The supervised loss: distance from the right answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from afina.objectives.labels import label_loss
from afina.objectives.soft import answers_and_divergence, note_tokens
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
    QuestionExample,
    TaggedExample,
    Task,
)

if TYPE_CHECKING:
    import torch


KEPT_TOKENS = 16
"""Of how many of the most probable tokens the untuned probabilities are kept."""


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
    keep: float = Field(0.0, ge=0.0)
    """Weight of the divergence from what the model found probable before it was tuned, at the tokens of
    the answers: against forgetting (text only)."""

    needs: ClassVar[tuple[type[Example], ...]] = (
        LabelledExample,
        ChatExample,
        NumberExample,
        TaggedExample,
        QuestionExample,
    )

    def refuses(self, task: Task) -> str:
        if self.keep and (task.head != "tokens" or task.reads_source):
            return f"objective.keep holds what a decoder writes: not for task: {task.name}"
        return ""

    def observe(self, network: Network, batch: Batch) -> torch.Tensor | None:
        """With ``keep``: the most probable tokens of the untuned model at each place of the answer."""
        return note_tokens(network, batch, KEPT_TOKENS) if self.keep else None

    def weight(self, batch: Batch) -> float:
        if batch.kind == "tokens":
            return float((batch.targets[:, 1:] != IGNORED).sum())
        if batch.kind == "tags":
            return float((batch.targets != IGNORED).sum())
        return float(batch.targets.shape[0])

    def loss(self, network: Network, batch: Batch) -> Loss:
        weight = self.weight(batch)
        if batch.kind == "tokens":
            if not self.keep:
                return Loss(-network.token_logprobs(batch).sum(), weight)
            right, far = answers_and_divergence(network, batch, KEPT_TOKENS)
            return Loss(self.keep * far.sum() - right.sum(), weight)
        if batch.kind in ("tags", "span"):
            return Loss(_places_loss(network.tag_scores(batch), batch), weight)
        scores = network.label_scores(batch)
        if batch.kind == "number":
            return Loss((scores - batch.targets).square().mean(dim=1).sum(), weight)
        return Loss(label_loss(scores, batch, self.label_smoothing), weight)


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
