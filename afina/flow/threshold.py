"""What only the answers of a trained model can settle: from when on "no answer" is the answer.

Chosen on the validation rows for the highest mean F1, as SQuAD 2.0's own script chooses it; kept in the
model's card, so that it is measured and served as it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from afina.tasks import FindAnswer
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.models.sources import Base
    from afina.store import Run


def settle_threshold(
    run: Run, task: Task, base: Base, validation: Sequence[Example]
) -> dict[str, Any]:
    """Settle ``task.no_answer`` of a run's model: what was chosen and why; empty if nothing is open."""
    from afina.evaluate.reading import right_texts, word_f1
    from afina.models.predictor import TunedModel
    from afina.models.save import settle_task

    if not isinstance(task, FindAnswer) or not task.unanswerable or task.no_answer is not None:
        return {}
    threshold, why = 0.0, "no validation row is without an answer"
    golds = [task.gold(example) for example in validation]
    if any(not gold.text for gold in golds):
        tuned = TunedModel.open(run.model_folder, base=base)
        tuned.model.task = task.model_copy(update={"no_answer": -math.inf})
        answers = tuned.predict([task.question(example) for example in validation])
        language = task.language or "en"
        gains = []
        for example, gold, answer in zip(validation, golds, answers, strict=True):
            f1 = max(word_f1(right, answer.text, language) for right in right_texts(example))
            gains.append((answer.margin or 0.0, f1 - float(not gold.text)))
        threshold = best_threshold(gains)
        why = f"the highest F1 on {len(validation):,} validation rows"
    settle_task(run.model_folder, task.model_copy(update={"no_answer": threshold}))
    found = {"no_answer": threshold, "reason": why}
    run.event("threshold", **found)
    return found


def best_threshold(gains: Sequence[tuple[float, float]]) -> float:
    """The margin from which answering pays most.

    ``gains``: for each row its margin, and by how much the score grows when it is answered. The value
    lies halfway between the margins of the last row that is not answered and the first that is; of equal
    ones the nearest to 0.
    """
    ordered = sorted(gains)
    margins = [margin for margin, _ in ordered]
    total = math.fsum(gain for _, gain in ordered)
    edges = [(total, margins[0] - 1.0)]
    for (_, gain), (margin, after) in zip(
        ordered, pairwise([*margins, margins[-1] + 2.0]), strict=True
    ):
        total -= gain
        if margin < after:  # rows of one margin are answered together
            edges.append((total, (margin + after) / 2))
    return min(edges, key=lambda edge: (-round(edge[0], 9), abs(edge[1])))[1]
