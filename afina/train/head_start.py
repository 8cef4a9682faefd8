"""A new classification head begins where a linear model on the frozen vectors ends.

A head drawn at random sends large, meaningless gradients into a body that already knows something;
one that is fitted first distorts it less and is at once as good as the linear baseline (Kumar et al.
2022, arXiv 2202.10054). The fit is convex and full-batch: equal rows give equal bits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from afina.models.load import Model
from afina.models.memory import kept_memory
from afina.models.network import LabelNetwork
from afina.train.answered import Answered
from afina.train.batches import collate, micro_batches
from afina.train.bottom import Bottom
from afina.types import Batch, Encoded, Objective, Targets

DECAY = 3e-3
"""Weight of the squared norm, on standardised vectors; flat around it on Banking77."""
ITERATIONS = 60


def fit_head(
    model: Model,
    rows: Sequence[Encoded],
    objective: Objective,
    kind: Targets,
    bottom: Bottom | None = None,
) -> None:
    """Set the head to the minimum of the objective over the frozen body's vectors of all rows.

    ``bottom`` gives the states below the lowest trained layer.
    """
    network = model.network
    assert isinstance(network, LabelNetwork)
    vectors, batch = _vectors(model, network, rows, kind, bottom)
    mean, deviation = vectors.mean(0), vectors.std(0, correction=0).clamp_min(1e-6)
    standard = (vectors - mean) / deviation
    weight = torch.zeros_like(network.head.weight, requires_grad=True)
    bias = torch.zeros_like(network.head.bias, requires_grad=True)
    solver = torch.optim.LBFGS(
        [weight, bias], max_iter=ITERATIONS, history_size=10, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        given = objective.loss(Answered(label_scores=standard @ weight.t() + bias), batch)
        total = given.total / given.weight + 0.5 * DECAY * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    solver.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        network.head.weight.copy_(weight / deviation)
        network.head.bias.copy_(bias - (weight / deviation) @ mean)


def _vectors(
    model: Model,
    network: LabelNetwork,
    rows: Sequence[Encoded],
    kind: Targets,
    bottom: Bottom | None,
) -> tuple[torch.Tensor, Batch]:
    """Vectors [N, D] of all rows without gradients, and one batch that holds all their targets."""
    network.eval()
    found: list[torch.Tensor] = []
    targets: list[torch.Tensor] = []
    noted: list[torch.Tensor] = []
    with torch.no_grad(), kept_memory():
        for chunk in micro_batches(rows, 64):
            batch = collate(chunk, kind=kind, device=model.device)
            if bottom is not None:
                batch = bottom.fill(batch, chunk)
            found.append(network.pooled(batch.ids, batch.lengths, batch=batch))
            targets.append(batch.targets)
            noted += [] if batch.noted is None else [batch.noted]
    whole = torch.cat(targets)
    nothing = torch.empty(0, dtype=torch.long, device=model.device)
    each = torch.arange(len(whole), device=model.device)
    told = torch.cat(noted) if noted else None
    return torch.cat(found), Batch(nothing, nothing, whole, kind, each, noted=told)
