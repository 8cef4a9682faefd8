"""The answers that a policy writes at a step, what they are worth, and what its start says of them.

They follow from the weights, the seed and the step alone, so a resumed run draws the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch

from afina.errors import ModelError
from afina.models.generate import Written, generate
from afina.models.likelihood import label_scores
from afina.models.load import Model, load
from afina.models.sampling import Sampling
from afina.models.save import open_model
from afina.objectives import Policy
from afina.store import Run
from afina.train.batches import collate
from afina.types import IGNORED, Encoded, Objective

ROWS_AT_ONCE = 8
LONGEST = 256
"""Tokens of an answer where the task says nothing."""


@dataclass(frozen=True)
class Asked:
    """The parts of a row: its prompt, the right answer, and what the template adds behind it."""

    prompt: tuple[int, ...]
    gold: tuple[int, ...]
    tail: tuple[int, ...]

    @classmethod
    def of(cls, row: Encoded) -> Asked:
        """By the last stretch of the row that is in the loss."""
        end = max(i for i, target in enumerate(row.targets) if target != IGNORED) + 1
        begin = end
        while begin and row.targets[begin - 1] != IGNORED:
            begin -= 1
        return cls(row.ids[:begin], row.ids[begin:end], row.ids[end:])


class Rollouts:
    """Writes and judges. ``model`` is the one in training; the others never move."""

    def __init__(self, model: Model, policy: Policy, run: Run, seed: int) -> None:
        self.model = model
        self.policy = policy
        self.seed = seed
        self.limit = int(getattr(model.task, "max_new_tokens", None) or LONGEST)
        self.reference: Model | None = None
        if policy.keep:
            self.reference = load(
                model.base, model.task, dtype=model.dtype, device=str(model.device),
                renderer=model.renderer, exact=model.exact,
            )  # fmt: skip
        self.judge: Model | None = None
        if policy.reward_model is not None:
            self.judge = _open_judge(policy.reward_model, run, model)

    @classmethod
    def of(cls, model: Model, objective: Objective | None, run: Run, seed: int) -> Rollouts | None:
        """None for an objective that learns from the rows as they are."""
        return cls(model, objective, run, seed) if isinstance(objective, Policy) else None

    def rows_of(self, rows: Sequence[Encoded], step: int) -> tuple[list[Encoded], dict[str, float]]:
        """``group`` rows for each row, one an answer, and the figures of the step."""
        asked = [Asked.of(row) for row in rows for _ in range(self.policy.group)]
        written = self._write(asked, self.policy.temperature, step)
        rewards = self._rewards(asked, written)
        sequences = [_as_row(a, w) for a, w in zip(asked, written, strict=True)]
        told, away = list(rewards), 0.0
        if self.reference is not None:
            theirs = self._logprobs(self.reference, sequences)
            ours = self._logprobs(self.model, sequences)
            far = [sum(o) - sum(t) for o, t in zip(ours, theirs, strict=True)]
            away = fmean(far)
            if self.policy.kind == "rloo":
                told = [r - self.policy.keep * f for r, f in zip(rewards, far, strict=True)]
            else:
                sequences = [replace(s, noted=t) for s, t in zip(sequences, theirs, strict=True)]
        size = self.policy.group
        found: list[Encoded] = []
        for i, row in enumerate(rows):
            group = slice(i * size, (i + 1) * size)
            worth = self.policy.advantages(told[group])
            own = zip(sequences[group], worth, strict=True)
            found += [replace(s, row=row.row, worth=w) for s, w in own]
        cut = sum(w.finish == "length" for w in written) / len(written)
        figures = {"reward": fmean(rewards), "divergence": away, "cut_off": cut}
        return found, figures

    def validate(self, rows: Sequence[Encoded]) -> float:
        """The mean reward of greedy answers."""
        asked = [Asked.of(row) for row in rows]
        return fmean(self._rewards(asked, self._write(asked, 0.0, 0)))

    # ------------------------------------------------------------------ inside

    def _write(self, asked: Sequence[Asked], temperature: float, step: int) -> list[Written]:
        self.model.network.eval()
        seed = self.seed * 1_000_003 + step
        sampling = Sampling(self.limit, temperature=temperature, seed=seed)
        return generate(self.model, [a.prompt for a in asked], sampling)

    def _rewards(self, asked: Sequence[Asked], written: Sequence[Written]) -> list[float]:
        if self.judge is not None:
            rows = [(*_as_row(a, w).ids, *a.tail) for a, w in zip(asked, written, strict=True)]
            return [scores[0] for scores in label_scores(self.judge, rows)]
        decode = self.model.renderer.decode
        pairs = zip(asked, written, strict=True)
        return [self.policy.judge(w.text, decode(a.gold)) for a, w in pairs]

    @torch.no_grad()
    def _logprobs(self, model: Model, rows: Sequence[Encoded]) -> list[list[float]]:
        """Of each token of each answer."""
        model.network.eval()
        found: list[list[float]] = []
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            batch = collate(part, kind="tokens", device=model.device)
            counts = (batch.targets[:, 1:] != IGNORED).sum(1).tolist()
            values = model.network.token_logprobs(batch).float().cpu()
            found += [each.tolist() for each in torch.split(values, counts)]
        return found


def _as_row(asked: Asked, written: Written) -> Encoded:
    answer = written.ids if written.end is None else (*written.ids, written.end)
    return Encoded("", (*asked.prompt, *answer), (*(IGNORED,) * len(asked.prompt), *answer))


def _open_judge(reference: str, run: Run, model: Model) -> Model:
    """A reward model. Raises ModelError if it is none, or reads other tokens."""
    judge = open_model(Run.open(run.home, reference).model_folder, device=str(model.device))
    where = f"objective.reward_model: {reference}"
    if judge.task.name != "score":
        raise ModelError(
            f"a run with task: {judge.task.name} is no reward model",
            where=where,
            do="train one: task: score, objective: reward",
        )
    ours, theirs = model.renderer.tokenizer, judge.renderer.tokenizer
    if ours.get_vocab() != theirs.get_vocab():
        raise ModelError(
            "the reward model reads other tokens than the policy writes",
            where=where,
            do="train it on a base with the same tokenizer",
        )
    return judge
