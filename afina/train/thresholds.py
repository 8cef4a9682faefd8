"""The thresholds of a trained classifier, chosen on the rows that chose its weights."""

from __future__ import annotations

from collections.abc import Sequence

from afina.evaluate.thresholds import chooses, settle
from afina.models.likelihood import label_scores
from afina.models.load import Model
from afina.store import Run
from afina.tasks import Classify
from afina.types import Encoded


def note_of(task: str) -> str:
    """The file of a run in which stands how the thresholds of a task came about (``""``: the only
    one)."""
    return f"thresholds-{task}.json" if task else "thresholds.json"


def settle_thresholds(
    model: Model, validation: Sequence[Encoded], run: Run, name: str = ""
) -> None:
    """Give the model's task the thresholds that the recipe asks for, and write down how they came about.
    ``name``: of several tasks.

    Nothing where nothing is wanted.
    """
    task = model.task
    if not isinstance(task, Classify) or not chooses(task):
        return
    model.network.eval()
    scores = label_scores(model, [row.ids for row in validation])
    golds = [
        [label for label, has in zip(task.known_labels, row.targets, strict=True) if has > 0.5]
        for row in validation
    ]
    probabilities = [task.from_scores(own).probabilities or {} for own in scores]
    model.task, lines = settle(task, probabilities, golds)
    run.write(note_of(name), lines)
