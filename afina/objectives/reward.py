"""The reward model's loss: the better answer is to score higher than the worse one."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from afina.types import Batch, Example, Loss, Network, Objective, PreferenceExample, Task


class Reward(Objective):
    """Bradley-Terry on pairs: the logarithm of the odds is the difference of two scores (Ouyang et al.
    2022, arXiv 2203.02155), a mean over pairs. For task: score."""

    name: Literal["reward"] = "reward"
    centre: float = Field(0.0, ge=0.0)
    """Weight of the squared sum of a pair's scores, which holds their mean at 0 (0.01 is usual)."""

    needs: ClassVar[tuple[type[Example], ...]] = (PreferenceExample,)

    def refuses(self, task: Task) -> str:
        if task.name == "score":
            return ""
        return (
            f"objective reward teaches scores, and a {task.name} task gives none: take task: score"
        )

    def weight(self, batch: Batch) -> float:
        return len(batch.targets) / 2

    def loss(self, network: Network, batch: Batch) -> Loss:
        from torch.nn.functional import logsigmoid

        scores = network.label_scores(batch)[:, 0]
        better, worse = scores[0::2], scores[1::2]
        total = -logsigmoid(better - worse).sum()
        if self.centre:
            total = total + self.centre * (better + worse).square().sum()
        return Loss(total, self.weight(batch))
