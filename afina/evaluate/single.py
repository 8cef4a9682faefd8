"""One score of one predictor on some rows: for choosing, where no interval is needed."""

from __future__ import annotations

from collections.abc import Sequence

from afina.errors import ModelError
from afina.evaluate.intervals import total
from afina.evaluate.scorer import Context, Scorer, statistics
from afina.types import Answer, Example, Task


def value_of(
    scorer: Scorer, task: Task, examples: Sequence[Example], answers: Sequence[Answer]
) -> float:
    """The score of answers to rows. Raises ModelError for a wrong number of answers."""
    if len(answers) != len(examples):
        raise ModelError(
            f"{len(answers)} answers to {len(examples)} questions",
            do="a predictor gives one answer for each input, in order",
        )
    counting = scorer.counting(Context.of(task))
    rows = counting.rows(examples, [task.gold(example) for example in examples], answers)
    return float(scorer.score(total(statistics(rows, counting.width))))


def value_of_likelihoods(scorer: Scorer, likelihoods: Sequence[tuple[float, int]]) -> float:
    """The score of (nats, tokens) of the right answers, for scorers of source ``likelihood``."""
    rows = [{0: nats, 1: float(tokens)} for nats, tokens in likelihoods]
    return float(scorer.score(total(statistics(rows, 2))))
