"""Which token comes next: penalties, bias, temperature, nucleus; and its log-probability.

A row draws from its own generator, so what it says does not depend on the rows beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from afina.errors import MachineError, RequestError
from afina.models.sampling import Sampling


@dataclass(frozen=True, slots=True)
class Drawn:
    """One token. ``logprob`` and ``top`` (id, log-probability) are the model's own, in nats, before
    penalties, bias and temperature; there only if asked for."""

    token: int
    logprob: float | None = None
    top: tuple[tuple[int, float], ...] = ()


def check_sampling(sampling: Sampling, vocabulary: int) -> None:
    """Raise RequestError for a value that has no meaning."""
    wrong: list[tuple[bool, str, str]] = [
        (sampling.max_new_tokens < 1, "max_new_tokens", "1 or more"),
        (not 0 <= sampling.temperature <= 100, "temperature", "from 0 to 100"),
        (not 0 < sampling.top_p <= 1, "top_p", "above 0, up to 1"),
        (not -100 <= sampling.frequency_penalty <= 100, "frequency_penalty", "from -100 to 100"),
        (not -100 <= sampling.presence_penalty <= 100, "presence_penalty", "from -100 to 100"),
        (sampling.logprobs is not None and not 0 <= sampling.logprobs <= vocabulary, "logprobs",
         f"from 0 to {vocabulary}"),
        (any(not 0 <= t < vocabulary for t in sampling.logit_bias), "logit_bias",
         f"token ids from 0 to {vocabulary - 1}"),
        (any(not abs(b) <= 1000 for b in sampling.logit_bias.values()), "logit_bias",
         "values from -1000 to 1000"),
    ]  # fmt: skip
    for is_wrong, name, allowed in wrong:
        if is_wrong:
            raise RequestError(
                f"{name} is {getattr(sampling, name)}", where=name, do=f"choose {allowed}"
            )


def generator_for(seed: int | None, row: int) -> torch.Generator:
    """The randomness of one row of a request: the same for the same seed, whatever the batch."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed((seed * 1_000_003 + row) % 2**63)
    return generator


def draw(
    logits: torch.Tensor,
    sampling: Sampling,
    written: Sequence[Sequence[int]],
    generators: Sequence[torch.Generator],
) -> list[Drawn]:
    """One token a row from logits [B, V]. ``written``: the tokens that each answer holds so far.

    Raises MachineError if the scores are not numbers (broken weights).
    """
    scores = _penalised(logits.float(), sampling, written)
    best, greedy = scores.max(dim=-1)
    if bool(best.isnan().any()):
        raise MachineError(
            "the model's scores are not numbers",
            where="model",
            do="its weights are broken: train again, or fetch the base again",
        )
    if sampling.temperature == 0:
        tokens = greedy.tolist()
    else:
        chosen = [_sampled(row, sampling, g) for row, g in zip(scores, generators, strict=True)]
        tokens = chosen
    if sampling.logprobs is None:
        return [Drawn(t) for t in tokens]
    return _reported(logits.float().log_softmax(-1), tokens, sampling.logprobs)


def _penalised(
    scores: torch.Tensor, sampling: Sampling, written: Sequence[Sequence[int]]
) -> torch.Tensor:
    """OpenAI's formula: score − count · frequency − (count > 0) · presence + bias."""
    changes = sampling.frequency_penalty or sampling.presence_penalty or sampling.logit_bias
    if not changes:
        return scores
    scores = scores.clone()
    for row, ids in enumerate(written):
        if ids and (sampling.frequency_penalty or sampling.presence_penalty):
            counted = Counter(ids)
            tokens = torch.tensor(list(counted), device=scores.device)
            counts = scores.new_tensor(list(counted.values()))
            scores[row, tokens] -= sampling.presence_penalty + sampling.frequency_penalty * counts
    if sampling.logit_bias:
        columns = torch.tensor(list(sampling.logit_bias), device=scores.device)
        scores[:, columns] += scores.new_tensor(list(sampling.logit_bias.values()))
    return scores


def _sampled(scores: torch.Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Draw from softmax(scores / temperature), cut to the smallest set that holds ``top_p``."""
    # Stable order and float64 sums: the same draw whatever the batch did to the last bit.
    shifted = (scores.double() - scores.max()) / sampling.temperature
    ordered, order = torch.softmax(shifted, dim=-1).sort(descending=True, stable=True)
    total = ordered.cumsum(0)
    kept = int((total - ordered < sampling.top_p).sum()) if sampling.top_p < 1 else len(ordered)
    mass = float(total[kept - 1])
    point = float(torch.rand((), generator=generator, dtype=torch.float64)) * mass
    place = int(torch.searchsorted(total[:kept], torch.tensor(point).to(total), right=True))
    return int(order[min(place, kept - 1)])


def _reported(logprobs: torch.Tensor, tokens: Sequence[int], count: int) -> list[Drawn]:
    own = logprobs.gather(1, torch.tensor(tokens, device=logprobs.device)[:, None])[:, 0].tolist()
    if count == 0:
        return [Drawn(t, value) for t, value in zip(tokens, own, strict=True)]
    best: Any = logprobs.topk(count, dim=-1)
    tops = [
        tuple(zip(ids, values, strict=True))
        for ids, values in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
    return [Drawn(t, v, top) for t, v, top in zip(tokens, own, tops, strict=True)]
