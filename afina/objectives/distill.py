"""Distillation: what a teacher finds probable, not only what is right."""

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
    Objective,
    Task,
)

if TYPE_CHECKING:
    import torch


class Distill(Objective):
    """A smaller model learns what a larger one says (Hinton et al. 2015, arXiv 1503.02531): the KL
    divergence from the teacher's probabilities, mixed with the usual loss.

    What the teacher says of each row is worked out once, before training. For labels its scores; for
    text its most probable tokens at each place of the answer, for which both need the same tokenizer.
    """

    name: Literal["distill"] = "distill"
    teacher: str = Field(min_length=1)
    """The run that teaches; for text a base can teach too."""
    weight_of_teacher: float = Field(0.7, gt=0.0, le=1.0)
    """Share of the teacher in the loss; the rest is for the right answer."""
    temperature: float | None = Field(None, gt=0.0, le=100.0)
    """Softens both probabilities of labels, so that the teacher's second choices count; left out: 2."""
    top: int = Field(16, ge=1, le=256)
    """Of how many of the most probable tokens the teacher's probabilities are kept (text)."""

    needs: ClassVar[tuple[type[Example], ...]] = (LabelledExample, ChatExample)

    def refuses(self, task: Task) -> str:
        if task.name not in ("classify", "generate"):
            return f"objective distill teaches classify and generate, not a {task.name} task"
        if task.name == "generate" and self.temperature is not None:
            return "objective.temperature is for labels; leave it out with task: generate"
        return ""

    def observe(self, network: Network, batch: Batch) -> torch.Tensor:
        """What the teacher says: scores [B, C], or notes of tokens [B, K]. Asked of the teacher."""
        if batch.kind == "tokens":
            return note_tokens(network, batch, self.top)
        return network.label_scores(batch)

    def weight(self, batch: Batch) -> float:
        if batch.kind == "tokens":
            return float((batch.targets[:, 1:] != IGNORED).sum())
        return float(batch.targets.shape[0])

    def loss(self, network: Network, batch: Batch) -> Loss:
        share = self.weight_of_teacher
        if batch.kind == "tokens":
            right, far = answers_and_divergence(network, batch, self.top)
            soft, hard = far.sum(), -right.sum()
        else:
            scores = network.label_scores(batch)
            soft = self._labels(scores, batch)
            hard = label_loss(scores, batch)
        return Loss(share * soft + (1 - share) * hard, self.weight(batch))

    def _labels(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        """T² times the divergence, so that its gradient keeps its size whatever T is."""
        from torch.nn import functional

        assert batch.noted is not None
        heat = 2.0 if self.temperature is None else self.temperature
        ours, theirs = scores / heat, batch.noted / heat
        if batch.kind == "one_label":
            far = functional.kl_div(
                ours.log_softmax(1), theirs.log_softmax(1), log_target=True, reduction="sum"
            )
            return far * heat**2
        wanted = theirs.sigmoid()
        each = functional.binary_cross_entropy_with_logits(ours, wanted, reduction="none")
        least = functional.binary_cross_entropy(wanted, wanted, reduction="none")
        return (each - least).mean(dim=1).sum() * heat**2
