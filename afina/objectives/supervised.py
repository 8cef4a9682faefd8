"""The supervised loss: cross-entropy with the right answer."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from afina.types import (
    IGNORED,
    Batch,
    ChatExample,
    Example,
    Head,
    LabelledExample,
    Loss,
    Network,
    Objective,
)


class Supervised(Objective):
    """Cross-entropy with the right answer: a mean over the answer's tokens, or over the rows.

    One label for each row: softmax cross-entropy. Several: binary cross-entropy, a mean over labels.
    """

    name: Literal["supervised"] = "supervised"
    label_smoothing: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of the probability spread evenly over all labels (classification only)."""

    needs: ClassVar[tuple[type[Example], ...]] = (LabelledExample, ChatExample)

    def weight(self, batch: Batch, head: Head) -> float:
        if head == "tokens":
            return float((batch.targets[:, 1:] != IGNORED).sum())
        return float(batch.targets.shape[0])

    def loss(self, network: Network, batch: Batch, head: Head) -> Loss:
        weight = self.weight(batch, head)
        if head == "tokens":
            return Loss(-network.token_logprobs(batch).sum(), weight)
        from torch.nn import functional

        scores = network.label_scores(batch)
        targets = batch.targets
        if self.label_smoothing:
            targets = targets * (1 - self.label_smoothing) + self.label_smoothing / targets.shape[1]
        if batch.one_of:
            return Loss(functional.cross_entropy(scores, targets, reduction="sum"), weight)
        each = functional.binary_cross_entropy_with_logits(scores, targets, reduction="none")
        return Loss(each.mean(dim=1).sum(), weight)
