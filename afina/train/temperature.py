"""Temperature scaling: one number that makes a classifier's probabilities mean what they say.

Fitted on the validation rows only, after the best weights are back (Guo et al. 2017). With one label
a row no answer changes; with several, ``task.threshold`` is of the scaled probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch.nn import functional

from afina.models.likelihood import label_scores
from afina.models.load import Model
from afina.tasks import Classify
from afina.types import Encoded

LEAST, MOST = 0.1, 20.0


def fit_temperature(model: Model, validation: Sequence[Encoded]) -> float | None:
    """Set ``task.temperature`` of the model where it is to be fitted; the value, or None.

    Without validation rows it is 1.
    """
    task = model.task
    if not isinstance(task, Classify) or task.temperature != "fitted":
        return None
    heat = 1.0
    if validation:
        model.network.eval()
        scores = torch.tensor(label_scores(model, [row.ids for row in validation]))
        targets = torch.tensor([row.targets for row in validation])
        heat = best_temperature(scores.double(), targets.double(), bool(task.several))
    model.task = task.model_copy(update={"temperature": heat})
    return heat


def best_temperature(scores: torch.Tensor, targets: torch.Tensor, several: bool) -> float:
    """The temperature with the least cross-entropy of scores [N, C] to targets [N, C].

    It has a single minimum in the inverse temperature, which is convex: golden-section search.
    """

    def loss(inverse: float) -> float:
        if several:
            heated = scores * inverse
            return float(functional.binary_cross_entropy_with_logits(heated, targets))
        return float(-((scores * inverse).log_softmax(1) * targets).sum(1).mean())

    low, high = 1 / MOST, 1 / LEAST
    share = (math.sqrt(5) - 1) / 2
    for _ in range(60):
        first, second = high - share * (high - low), low + share * (high - low)
        low, high = (low, second) if loss(first) <= loss(second) else (first, high)
    return round(2 / (low + high), 6)
