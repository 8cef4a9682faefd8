"""Policy optimisation: the model writes, a reward judges, and what was better than usual is learned."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from afina.objectives.rewards import REWARDS, after_mark
from afina.objectives.sequences import answer_counts, worths
from afina.types import Batch, ChatExample, Example, Loss, Network, Objective, Task

if TYPE_CHECKING:
    import torch


class Policy(Objective):
    """Reinforcement learning on the model's own answers: GRPO (Shao et al. 2024, arXiv 2402.03300) and
    RLOO (Ahmadian et al. 2024, arXiv 2402.14740).

    At each step a group of answers is drawn to each prompt of the batch. An answer is worth how far its
    reward lies above that of its group (GRPO: in standard deviations; RLOO: above the mean of the
    others). One step is made with each group, so nothing has to be clipped.
    """

    name: Literal["policy"] = "policy"
    kind: Literal["grpo", "rloo"] = "grpo"
    """grpo: a mean over the tokens of each answer; rloo: each answer as a whole."""
    reward: Literal["exact", "contains", "json_fields", "model"] = "exact"
    """What an answer is rewarded for: being the right one, containing it, sharing its JSON fields, or
    the score of a reward model."""
    after: str | None = None
    """Only what follows the last of these marks counts, in the answer and in the right one."""
    reward_model: str | None = None
    """The run of a reward model (task: score) over a base with the same tokenizer."""
    group: int = Field(8, ge=2, le=256)
    """Answers drawn to each prompt."""
    temperature: float = Field(1.0, gt=0, le=10)
    """Temperature with which they are drawn."""
    keep: float = Field(0.02, ge=0)
    """How strongly the model is held near its start (KL divergence); 0 saves the second model."""
    by_deviation: bool = True
    """Divide by the standard deviation of the group's rewards (grpo)."""

    needs: ClassVar[tuple[type[Example], ...]] = (ChatExample,)
    rewrites_rows: ClassVar[bool] = True
    rate_share: ClassVar[float] = 0.1

    @model_validator(mode="after")
    def _one_reward(self) -> Policy:
        if (self.reward == "model") != (self.reward_model is not None):
            raise ValueError("reward: model and reward_model go together")
        if self.reward == "model" and self.after is not None:
            raise ValueError("after is of no use with reward: model")
        if self.kind == "rloo" and not self.by_deviation:
            raise ValueError("by_deviation is of no use with kind: rloo")
        return self

    def refuses(self, task: Task) -> str:
        if task.name == "generate":
            return ""
        return f"objective policy learns from answers that are written, and a {task.name} task has none"

    def scorers(self, task: Task, shape: type[Example]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(("exact_match", *task.scorers())))

    def baselines(self, task: Task) -> tuple[str, ...]:
        return ("base",)

    def judge(self, answer: str, gold: str) -> float:
        """The reward of an answer, from 0 to 1, where no model gives it."""
        if self.after is not None:
            answer, gold = after_mark(answer, self.after), after_mark(gold, self.after)
        return REWARDS[self.reward](answer, gold) if answer.strip() else 0.0

    def advantages(self, rewards: Sequence[float]) -> list[float]:
        """What each answer of a group is worth."""
        mean = statistics.fmean(rewards)
        if self.kind == "rloo":
            others = len(rewards) - 1
            return [(r - mean) * len(rewards) / others for r in rewards]
        scale = statistics.stdev(rewards) + 1e-4 if self.by_deviation else 1.0
        return [(r - mean) / scale for r in rewards]

    def weight(self, batch: Batch) -> float:
        return float(len(batch.lengths))

    def loss(self, network: Network, batch: Batch) -> Loss:
        """``worth``: the advantage of each answer; ``noted``: the reference's log-probabilities of its
        tokens (with ``keep``, grpo)."""
        import torch

        each = network.token_logprobs(batch)
        counts = answer_counts(batch)
        place = torch.repeat_interleave(torch.arange(len(counts), device=each.device), counts)
        sums = torch.zeros(len(counts), device=each.device)
        if self.kind == "rloo":
            whole = sums.index_add(0, place, each)
            return Loss(-(_ratio(whole) * worths(batch)).sum(), self.weight(batch))
        losses = -worths(batch)[place]
        if batch.noted is not None:
            inside = torch.arange(batch.noted.shape[1], device=each.device) < counts[:, None]
            lead = batch.noted[inside] - each
            losses = losses + self.keep * (lead.exp() - lead - 1)
        means = sums.index_add(0, place, _ratio(each) * losses) / counts.clamp(min=1)
        return Loss(means.sum(), self.weight(batch))


def _ratio(logprobs: torch.Tensor) -> torch.Tensor:
    """1, with the slope of the log-probability: what was drawn by these weights, weighed by them. On
    the divergence too, whose gradient is unbiased so."""
    return (logprobs - logprobs.detach()).exp()
