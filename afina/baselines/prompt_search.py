"""The best prompt that a search finds for the untuned base: no gradients, no weights moved.

Instructions × examples × their order, judged on validation rows only by the score that counts.
Successive halving (Jamieson and Talwalkar 2016): all candidates answer a few rows, the better half
answers twice as many, until one is left or the budget of answers is spent. The order of examples
alone can move a score by tens of points (Lu et al. 2022, arXiv 2104.08786), so it is searched too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from afina.baselines.few_shot_random import random_shots
from afina.baselines.instruction import wordings
from afina.baselines.prompting import (
    Prompted,
    all_fit,
    facts_of,
    load_decoder,
    prompted,
    typical_shots,
)
from afina.baselines.request import Baseline, Request
from afina.errors import DataError, ModelError
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.single import value_of, value_of_likelihoods
from afina.tasks import Generate
from afina.types import Answer, Example, Input, Task

if TYPE_CHECKING:
    from afina.evaluate.scorer import Scorer
    from afina.models.load import Model
    from afina.models.prompted import PromptedBase

FIRST_ROWS = 8
"""Rows that every candidate answers."""
MOST_ROWS = 128
"""Rows that the last candidates answer, at most."""
MOST_CANDIDATES = 64
RANDOM_SETS = 3


@dataclass
class Candidate:
    """A prompt on trial: what it says, and its answers so far."""

    number: int
    instruction: str
    shots: tuple[Example, ...]
    order: str
    predictor: PromptedBase
    answers: list[Answer] = field(default_factory=list)
    likelihoods: list[tuple[float, int]] = field(default_factory=list)
    value: float = 0.0
    closeness: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        return {
            "instruction": self.instruction,
            "examples": [shot.where for shot in self.shots],
            "order": self.order,
            "rows": max(len(self.answers), len(self.likelihoods)),
            "value": self.value,
            "closeness": self.closeness,
        }


class Searched(Prompted):
    """The prompt that was chosen. ``trials``: every prompt with the rows it answered and its value."""

    def __init__(
        self, best: Candidate, facts: Any, trials: Sequence[Candidate], metric: str
    ) -> None:
        super().__init__(best.predictor, facts)
        self.metric = metric
        self.trials = tuple(one.as_dict() for one in trials)

    def describe(self) -> dict[str, Any]:
        """The facts, the score that chose, and all trials."""
        return super().describe() | {"metric": self.metric, "trials": list(self.trials)}


def build(request: Request) -> Baseline:
    """Search within ``evaluate.search_calls`` answers. The plain prompt and the usual examples are
    always among the candidates; ``evaluate.instructions`` adds wordings of your own.

    Raises DataError without validation rows, ModelError where no prompt fits the context.
    """
    name = "prompt_search"
    if not request.validation:
        raise DataError(
            "the search of a prompt chooses on validation rows, and there are none",
            where="data.validation",
            do="give data.split.validation a share, or leave prompt_search out",
        )
    scorer = choose(request.task, request.settings.scorers, request.goal)[0]
    rows = _drawn_rows(request)
    candidates = _candidates(request, load_decoder(request, name), name)
    if not candidates:
        raise ModelError(
            "no prompt leaves room for the longest questions",
            where=f"evaluate.baselines: {name}",
            do="leave this baseline out, or take a base with a longer context",
        )
    first = min(FIRST_ROWS, len(rows))
    tried = candidates[: _affordable(len(candidates), first, len(rows), request)]
    best, calls = halve(request, scorer, tried, rows, first)
    told = (
        f"the best of {len(tried)} prompts by {scorer.name} on up to {len(rows)} validation rows, "
        f"{calls} answers asked",
    )
    facts = replace(facts_of(best.predictor, len(best.shots), told), notes=told)
    return Searched(best, facts, tried, scorer.name)


def halve(
    request: Request,
    scorer: Scorer,
    candidates: Sequence[Candidate],
    rows: Sequence[Example],
    first: int,
) -> tuple[Candidate, int]:
    """The best candidate and the answers that it took to find it.

    Of equals the one whose answers come closer to the right ones, then the earlier.
    """
    left, asked, calls = list(candidates), first, 0
    while True:
        for candidate in left:
            calls += _measure(request, scorer, candidate, rows[:asked])
        left.sort(key=lambda c: (-scorer.sign * c.value, -c.closeness, c.number))
        if len(left) == 1 or asked == len(rows):
            return left[0], calls
        left = left[: -(-len(left) // 2)]
        asked = min(len(rows), 2 * asked)


def calls_needed(candidates: int, first: int, rows: int) -> int:
    """Answers that ``halve`` asks for."""
    left, asked, calls = candidates, first, candidates * first
    while left > 1 and asked < rows:
        left, before = -(-left // 2), asked
        asked = min(rows, 2 * asked)
        calls += left * (asked - before)
    return calls


# ---------------------------------------------------------------------------- inside


def _affordable(there: int, first: int, rows: int, request: Request) -> int:
    """How many candidates the budget allows; one that allows no choice is refused."""
    budget = request.settings.search_calls
    fitting = [n for n in range(1, there + 1) if calls_needed(n, first, rows) <= budget]
    if not fitting or (fitting[-1] == 1 and there > 1):
        raise DataError(
            f"{budget} answers are too few to choose between two prompts on {first} rows",
            where="evaluate.search_calls",
            do=f"at least {calls_needed(2, first, rows)}",
        )
    return fitting[-1]


def _drawn_rows(request: Request) -> list[Example]:
    order = np.random.default_rng(request.seed).permutation(len(request.validation))
    return [request.validation[i] for i in order[:MOST_ROWS]]


def _measure(
    request: Request, scorer: Scorer, candidate: Candidate, rows: Sequence[Example]
) -> int:
    """Ask what has not been asked yet and set the value; how many answers that took."""
    task = request.task
    if scorer.source == "likelihood":
        fresh = rows[len(candidate.likelihoods) :]
        candidate.likelihoods += candidate.predictor.negative_log_likelihood(fresh)
        candidate.value = value_of_likelihoods(scorer, candidate.likelihoods)
        return len(fresh)
    fresh = rows[len(candidate.answers) :]
    asked: list[Input] = [task.question(row) for row in fresh]
    candidate.answers += candidate.predictor.predict(asked)
    candidate.value = value_of(scorer, task, rows, candidate.answers)
    candidate.closeness = _closeness(task, rows, candidate.answers)
    return len(fresh)


def _closeness(task: Task, rows: Sequence[Example], answers: Sequence[Answer]) -> float:
    """How near answers are that may all be wrong: chrF of texts, the mean probability of labels."""
    if isinstance(task, Generate):
        return value_of(SCORERS["chrf"], task, rows, answers)
    shares = [
        sum((answer.probabilities or {}).get(label, 0.0) for label in task.gold(row).labels)
        for row, answer in zip(rows, answers, strict=True)
    ]
    return sum(shares) / max(1, len(shares))


def _candidates(request: Request, model: Model, name: str) -> list[Candidate]:
    """The plain prompt, the usual examples, then a seeded order of all others; those that fit."""
    texts = list(
        dict.fromkeys([*wordings(request.task, request.train), *request.settings.instructions])
    )
    everything = list(product(texts, _sets(request)))
    usual = [everything[0], everything[1]] if len(everything) > 1 else everything
    others = [one for one in everything if one not in usual]
    order = np.random.default_rng(request.seed).permutation(len(others))
    found: list[Candidate] = []
    for text, (shots, how) in [*usual, *(others[i] for i in order)]:
        predictor = prompted(request, model, name, text, shots)
        if all_fit(request, predictor):
            found.append(Candidate(len(found), text, shots, how, predictor))
        if len(found) == MOST_CANDIDATES:
            break
    return found


def _sets(request: Request) -> list[tuple[tuple[Example, ...], str]]:
    """Examples with their order: none, typical ones, random ones; each also turned round."""
    count = request.settings.few_shot
    sets = [tuple(typical_shots(request, count))]
    sets += [tuple(random_shots(request, count, request.seed + i)) for i in range(RANDOM_SETS)]
    sets += [shots[: len(shots) // 2] for shots in sets[:1]]
    found: list[tuple[tuple[Example, ...], str]] = [((), "none")]
    for shots in sets:
        for ordered, how in ((shots, "as drawn"), (shots[::-1], "turned round")):
            if ordered and ordered not in [known for known, _ in found]:
                found.append((ordered, how))
    return found
