"""The validation rows, measured while a run trains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch

from afina.models.load import Model
from afina.models.network import LabelNetwork
from afina.recipe.knobs import Train
from afina.train.answered import Answered
from afina.train.batches import micro_batches
from afina.train.bottom import Bottom
from afina.train.gradients import together
from afina.train.observe import surveyed
from afina.types import Batch, Encoded, Objective, Targets, Task


def validate(
    model: Model,
    objective: Objective,
    train: Train,
    rows: Sequence[Encoded],
    kind: Targets,
    bottom: Bottom | None = None,
) -> tuple[float, float | None]:
    """(mean loss, share of rows with the right labels or None where there are none), no gradients."""
    size = 2 * int(train.micro_batch_size or 8)
    model.network.eval()
    if objective.whole_batch:
        steps = micro_batches(rows, int(train.batch_size or 8))
        passes = (surveyed(model, objective, micro_batches(s, size), kind, bottom) for s in steps)
        return _mean_together(model, objective, passes), None
    total = weight = 0.0
    right = 0
    labelled = kind in ("one_label", "labels") and isinstance(model.network, LabelNetwork)
    with torch.no_grad():
        for batch in surveyed(model, objective, micro_batches(rows, size), kind, bottom):
            if labelled:
                scores = model.network.label_scores(batch)
                loss = objective.loss(Answered(label_scores=scores), batch)
                right += int(_right(scores, batch, model.task).sum())
            else:
                loss = objective.loss(model.network, batch)
            total += float(loss.total)
            weight += loss.weight
    return total / max(weight, 1e-9), right / len(rows) if labelled else None


@torch.no_grad()
def _mean_together(model: Model, objective: Objective, steps: Iterable[Sequence[Batch]]) -> float:
    """The mean loss of rows in batches as large as those of training, each a list of passes."""
    total = weight = 0.0
    for passes in steps:
        vectors = torch.cat([model.network.vectors(batch) for batch in passes])
        loss = together(objective, vectors, passes)
        total += float(loss.total)
        weight += loss.weight
    return total / max(weight, 1e-9)


def _right(scores: torch.Tensor, batch: Batch, task: Task) -> torch.Tensor:
    if batch.kind == "one_label":
        return scores.argmax(1) == batch.targets.argmax(1)
    threshold = getattr(task, "threshold", 0.5)
    return ((scores.sigmoid() >= threshold) == (batch.targets > 0.5)).all(1)


def validate_each(
    models: Mapping[str, Model],
    objectives: Mapping[str, Objective],
    rows: Mapping[str, Sequence[Encoded]],
    kinds: Mapping[str, Targets],
    train: Train,
    bottom: Bottom | None = None,
) -> tuple[float, float | None, dict[str, float]]:
    """The mean of the tasks' losses, the share of rows right if there is one task and it has labels, and
    the loss of each task that has rows."""
    found = {
        task: validate(models[task], objectives[task], train, own, kinds[task], bottom)
        for task, own in rows.items()
        if own
    }
    each = {task: loss for task, (loss, _) in found.items()}
    right = next(iter(found.values()))[1] if len(models) == 1 else None
    return sum(each.values()) / len(each), right, each
