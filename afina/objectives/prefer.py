"""Preference losses: the better answer is to become more probable than the worse one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from afina.objectives.mismatch import with_mismatches
from afina.objectives.sequences import answer_counts, answer_sums, worths
from afina.types import (
    Batch,
    Encoded,
    Example,
    JudgedExample,
    Loss,
    Network,
    Objective,
    PreferenceExample,
    Task,
)

if TYPE_CHECKING:
    import torch

BETAS = {"dpo": 0.1, "ipo": 0.1, "orpo": 0.1, "kto": 0.1, "simpo": 2.0}
OWN_KNOBS = {
    "label_smoothing": ("dpo", "simpo"),
    "by_token": ("dpo",),
    "margin": ("simpo",),
    "supervised": ("dpo", "ipo", "simpo"),
    "good_weight": ("kto",),
    "bad_weight": ("kto",),
}
"""Which kinds a knob has a meaning for."""


class Prefer(Objective):
    """Preferences without a reward model: DPO (Rafailov et al. 2023, arXiv 2305.18290), IPO (Azar et
    al. 2023, arXiv 2310.12036), ORPO (Hong et al. 2024, arXiv 2403.07691), KTO (Ethayarajh et al.
    2024, arXiv 2402.01306) and SimPO (Meng et al. 2024, arXiv 2405.14734).

    A row is a better and a worse answer to one prompt; KTO takes single answers called good or bad as
    well. DPO, IPO and KTO compare with the model as it was before the first step; ORPO and SimPO have
    no reference. The mean is over pairs, in KTO over answers.
    """

    name: Literal["prefer"] = "prefer"
    kind: Literal["dpo", "ipo", "orpo", "kto", "simpo"] = "dpo"
    """Which loss: dpo, ipo, orpo, kto or simpo."""
    beta: float | None = Field(None, gt=0, le=100)
    """How strongly a difference counts, and so how near the reference is kept (dpo, ipo, kto), the
    scale of the mean log-probability (simpo), or the weight of the odds ratio (orpo). Left out: 0.1,
    and 2 for simpo."""
    label_smoothing: float = Field(0.0, ge=0.0, lt=0.5)
    """Share of the pairs that are taken to be the wrong way round (dpo, simpo)."""
    by_token: bool = False
    """Divide each answer's log-ratio by its tokens, so that length counts for nothing (dpo; ipo, orpo
    and simpo always do)."""
    margin: float = Field(1.0, ge=0.0)
    """By how much the better answer is to lead, after beta (simpo)."""
    supervised: float = Field(0.0, ge=0.0)
    """Weight of the usual loss on the better answers, added (dpo, ipo, simpo; orpo has it with 1)."""
    good_weight: float = Field(1.0, gt=0.0)
    """Weight of the answers called good (kto)."""
    bad_weight: float = Field(1.0, gt=0.0)
    """Weight of the answers called bad (kto)."""

    needs: ClassVar[tuple[type[Example], ...]] = (PreferenceExample, JudgedExample)
    rate_share: ClassVar[float] = 0.1

    @model_validator(mode="after")
    def _knobs_of_the_kind(self) -> Prefer:
        for knob, kinds in OWN_KNOBS.items():
            usual = type(self).model_fields[knob].default
            if getattr(self, knob) != usual and self.kind not in kinds:
                raise ValueError(f"{knob} is of no use with kind: {self.kind}")
        return self

    @property
    def strength(self) -> float:
        """Beta, chosen or usual for the kind."""
        return BETAS[self.kind] if self.beta is None else self.beta

    @property
    def shapes(self) -> tuple[type[Example], ...]:
        return self.needs if self.kind == "kto" else (PreferenceExample,)

    def refuses(self, task: Task) -> str:
        if task.head == "tokens":
            return ""
        return f"objective prefer compares answers that are written, and a {task.name} task writes none"

    def scorers(self, task: Task, shape: type[Example]) -> tuple[str, ...]:
        if shape is JudgedExample:
            return ("preference_gain",)
        return ("preference_accuracy", "preference_gain", *task.scorers())

    def baselines(self, task: Task) -> tuple[str, ...]:
        return ("base",)

    def arrange(self, rows: Sequence[Encoded]) -> tuple[Encoded, ...]:
        """For KTO each answer is followed by a mismatched one, by which it estimates how far the
        model has moved from the reference."""
        return with_mismatches(rows) if self.kind == "kto" else tuple(rows)

    def observe(self, network: Network, batch: Batch) -> torch.Tensor | None:
        """The reference's log-probability [B, 1] of each answer."""
        if self.kind in ("orpo", "simpo"):
            return None
        return answer_sums(network, batch)[:, None]

    def survey(self, network: Network, batches: Sequence[Batch]) -> torch.Tensor | None:
        """KTO: the divergence from the reference, at least 0. With a supervised part: pairs for each
        token of the better answers, which makes that part a mean over tokens."""
        import torch

        if self.kind == "kto":
            found = [_mismatched(network, batch) for batch in batches]
            gains = torch.cat(found)
            return gains.mean().clamp(min=0)[None] if len(gains) else gains.new_zeros(1)
        if not self._supervised:
            return None
        tokens = sum(int(answer_counts(b)[worths(b) > 0].sum()) for b in batches)
        pairs = sum(len(batch.rows) for batch in batches)
        return torch.tensor([pairs / max(1, tokens)], device=batches[0].ids.device)

    def weight(self, batch: Batch) -> float:
        return float((worths(batch) != 0).sum()) if self.kind == "kto" else float(len(batch.rows))

    def loss(self, network: Network, batch: Batch) -> Loss:
        if self.kind == "kto":
            return Loss(self._kto(network, batch), self.weight(batch))
        sums = answer_sums(network, batch)
        good = worths(batch) > 0
        scores = sums if batch.noted is None else sums - batch.noted[:, 0]
        if self.by_token or self.kind != "dpo":
            scores = scores / answer_counts(batch).clamp(min=1)
        total = self._pairs(scores[good], scores[~good]).sum()
        if self._supervised:
            assert batch.step is not None
            total = total - self._supervised * sums[good].sum() * batch.step[0]
        return Loss(total, self.weight(batch))

    @property
    def _supervised(self) -> float:
        return 1.0 if self.kind == "orpo" else self.supervised

    def _pairs(self, better: torch.Tensor, worse: torch.Tensor) -> torch.Tensor:
        """The loss [P] of each pair."""
        from torch.nn.functional import logsigmoid

        lead = better - worse
        if self.kind == "ipo":
            return (lead - 1 / (2 * self.strength)).square()
        if self.kind == "orpo":
            odds = lead - (_log1mexp(better) - _log1mexp(worse))
            return -self.strength * logsigmoid(odds)
        lead = self.strength * lead - (self.margin if self.kind == "simpo" else 0.0)
        wrong = self.label_smoothing
        return -logsigmoid(lead) * (1 - wrong) - logsigmoid(-lead) * wrong

    def _kto(self, network: Network, batch: Batch) -> torch.Tensor:
        assert batch.noted is not None and batch.step is not None
        judged = batch.only(worths(batch) != 0)
        assert judged.noted is not None
        gains = answer_sums(network, judged) - judged.noted[:, 0]
        good = worths(judged) > 0
        beyond = self.strength * (gains - batch.step[0])
        better = (1 - beyond[good].sigmoid()).sum()
        worse = (1 - (-beyond[~good]).sigmoid()).sum()
        return self.good_weight * better + self.bad_weight * worse


def _mismatched(network: Network, batch: Batch) -> torch.Tensor:
    """How much more probable [M] the mismatched answers have become since the reference."""
    batch = batch.only(worths(batch) == 0)
    assert batch.noted is not None
    if not len(batch.lengths):
        return batch.noted.new_zeros(0)
    return answer_sums(network, batch) - batch.noted[:, 0]


def _log1mexp(x: torch.Tensor) -> torch.Tensor:
    """log(1 - exp(x)) for x < 0, near 0 and far from it."""
    import torch

    x = x.clamp(max=-1e-6)
    near = x > -0.6931
    small = torch.log(-torch.expm1(torch.where(near, x, -1.0)))
    large = torch.log1p(-torch.exp(torch.where(near, -1.0, x)))
    return torch.where(near, small, large)
