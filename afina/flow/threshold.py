"""What only the answers of a trained model can settle: from when on "no answer" is the answer.

Chosen on the validation rows for the highest mean F1, as SQuAD 2.0's own script chooses it; kept in the
model's card, so that it is measured and served as it was chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from afina.tasks import FindAnswer
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.models.sources import Base
    from afina.store import Run


def settle_threshold(
    run: Run, task: Task, base: Base, validation: Sequence[Example], name: str = ""
) -> dict[str, Any]:
    """Settle ``task.no_answer`` of a run's model (``name``: of several tasks): what was chosen and why;
    empty if nothing is open."""
    from afina.models.predictor import TunedModel
    from afina.models.save import settle_task

    folder = run.model_folder
    found = chosen(lambda: TunedModel.open(folder, base=base, task=name), task, validation)
    if found is None:
        return {}
    settled, why = found
    settle_task(folder, settled, name)
    told = {"no_answer": settled.no_answer, "reason": why}
    run.event("threshold", **told, **({"task": name} if name else {}))
    return told


def chosen(
    opened: Callable[[], TunedModel], task: Task, validation: Sequence[Example]
) -> tuple[FindAnswer, str] | None:
    """The task with ``no_answer`` settled for the model that is opened, and why so; None if nothing is
    open. The model's own task is not what it was afterwards."""
    from afina.evaluate.reading import right_texts, word_f1

    if not isinstance(task, FindAnswer) or not task.unanswerable or task.no_answer is not None:
        return None
    threshold, why = 0.0, "no validation row is without an answer"
    golds = [task.gold(example) for example in validation]
    if any(not gold.text for gold in golds):
        tuned = opened()
        tuned.model.task = task.model_copy(update={"no_answer": -math.inf})
        answers = tuned.predict([task.question(example) for example in validation])
        language = task.language or "en"
        gains = []
        for example, gold, answer in zip(validation, golds, answers, strict=True):
            f1 = max(word_f1(right, answer.text, language) for right in right_texts(example))
            gains.append((answer.margin or 0.0, f1 - float(not gold.text)))
        threshold = best_threshold(gains)
        why = f"the highest F1 on {len(validation):,} validation rows"
    return task.model_copy(update={"no_answer": threshold}), why


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
