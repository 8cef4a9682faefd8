"""The validation rows, measured while a run trains."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from afina.models.load import Model
from afina.models.network import LabelNetwork
from afina.train.batches import micro_batches
from afina.train.bottom import Bottom
from afina.train.head_start import Scored
from afina.train.observe import surveyed
from afina.train.plan import Plan
from afina.types import Batch, Encoded, Targets


def validate(
    model: Model,
    plan: Plan,
    rows: Sequence[Encoded],
    kind: Targets,
    bottom: Bottom | None = None,
) -> tuple[float, float | None]:
    """(mean loss, share of rows with the right labels or None where there are none), no gradients."""
    objective = plan.recipe.objective
    total = weight = 0.0
    right = 0
    labelled = kind in ("one_label", "labels") and isinstance(model.network, LabelNetwork)
    model.network.eval()
    with torch.no_grad():
        chunks = micro_batches(rows, 2 * int(plan.recipe.train.micro_batch_size or 8))
        for batch in surveyed(model, objective, chunks, kind, bottom):
            if labelled:
                scores = model.network.label_scores(batch)
                loss = objective.loss(Scored(scores), batch)
                right += int(_right(scores, batch, plan).sum())
            else:
                loss = objective.loss(model.network, batch)
            total += float(loss.total)
            weight += loss.weight
    return total / max(weight, 1e-9), right / len(rows) if labelled else None


def _right(scores: torch.Tensor, batch: Batch, plan: Plan) -> torch.Tensor:
    if batch.kind == "one_label":
        return scores.argmax(1) == batch.targets.argmax(1)
    threshold = getattr(plan.recipe.task, "threshold", 0.5)
    return ((scores.sigmoid() >= threshold) == (batch.targets > 0.5)).all(1)
