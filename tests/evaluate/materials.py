"""What findings are made from, for rows with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from afina.evaluate.asking import Measured
from afina.evaluate.finding import Material
from afina.evaluate.scorer import Context, statistics
from afina.evaluate.scorers import SCORERS
from afina.recipe import Evaluate
from afina.types import Answer, Example, Task


def material(
    task: Task,
    test: Sequence[Example],
    answers: Sequence[Answer],
    *,
    metric: str,
    settings: Evaluate | None = None,
    seed: int = 7,
    **measured: Any,
) -> Material:
    """The material of one candidate, ``tuned``."""
    golds = [task.gold(example) for example in test]
    own = Measured("tuned", answers=list(answers), **measured)
    scorer = SCORERS[metric]
    figures = {}
    if scorer.source == "answers":
        counting = scorer.counting(Context.of(task))
        matrix = statistics(counting.rows(test, golds, answers), counting.width)
        figures["tuned", metric] = (matrix, np.zeros(0))
    wished = settings or Evaluate(resamples=200)
    return Material(test, golds, task, [own], own.name, scorer, figures, wished, seed)


def with_field(rows: Sequence[Any], column: str, values: Sequence[str]) -> list[Any]:
    """The rows with a value each in a column that reports are sliced by."""
    return [
        replace(row, fields=((column, value),)) for row, value in zip(rows, values, strict=True)
    ]
