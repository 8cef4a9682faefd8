"""The gradient of a step, pass by pass; also of a loss that looks at all rows of the step at once.

A loss that is a sum over rows is simply added up. The gradient of one over all vectors together reaches
the weights through the vectors alone. So the vectors of all passes are worked first, without a graph;
the loss of all of them gives the gradient of each vector; and each pass, worked again with the same
dropout, carries its own vectors' part to the weights (GradCache, Gao et al. 2021, arXiv 2101.06983). A
second forward pass is the price; how the batch is cut does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from afina.train.answered import Answered
from afina.types import Batch, Loss, Network, Objective


def joined(passes: Sequence[Batch]) -> Batch:
    """The passes of a step as one batch, in their order."""
    width = max(p.ids.shape[1] for p in passes)
    pad = torch.nn.functional.pad
    rows = 0
    row_of: list[torch.Tensor] = []
    for one in passes:
        row_of.append(one.row_of + rows)
        rows += int(one.row_of.max()) + 1
    return replace(
        passes[0],
        ids=torch.cat([pad(p.ids, (0, width - p.ids.shape[1])) for p in passes]),
        lengths=torch.cat([p.lengths for p in passes]),
        targets=torch.cat([p.targets for p in passes]),
        row_of=torch.cat(row_of),
        rows=tuple(row for p in passes for row in p.rows),
        noted=_below_each_other([p.noted for p in passes]),
        worth=_below_each_other([p.worth for p in passes]),
        states=None,
    )


def _below_each_other(parts: Sequence[torch.Tensor | None]) -> torch.Tensor | None:
    """What each pass has beside its sequences [B, …], as one; padded with 0 to the widest."""
    found = [part for part in parts if part is not None]
    if len(found) < len(parts):
        return None
    if found[0].ndim == 1:
        return torch.cat(found)
    width = max(part.shape[1] for part in found)
    return torch.cat([torch.nn.functional.pad(p, (0, width - p.shape[1])) for p in found])


def together(objective: Objective, vectors: torch.Tensor, passes: Sequence[Batch]) -> Loss:
    """The loss of all passes of a step as one batch; ``vectors`` [B, D] are those of all of them."""
    return objective.loss(Answered(vectors=vectors), joined(passes))


def accumulate(
    network: Network,
    objective: Objective,
    passes: Sequence[Batch],
    seeds: Sequence[int],
    done: Callable[[float, Batch], None],
) -> tuple[float, float]:
    """Add the gradient of the mean loss of a step; returns that loss and the weight of the step.

    ``seeds`` are those of each pass's dropout; ``done`` is told the loss so far, behind each pass that
    has left a gradient.
    """
    weight = sum(objective.weight(batch) for batch in passes)
    if objective.whole_batch and len(passes) > 1:
        return _together(network, objective, passes, seeds, done), weight
    total = 0.0
    for index, batch in enumerate(passes):
        torch.manual_seed(seeds[index])
        loss = objective.loss(network, batch).total / weight
        total += float(loss.detach())
        loss.backward()  # type: ignore[no-untyped-call]
        done(total, batch)
    return total, weight


def _together(
    network: Network,
    objective: Objective,
    passes: Sequence[Batch],
    seeds: Sequence[int],
    done: Callable[[float, Batch], None],
) -> float:
    found: list[torch.Tensor] = []
    with torch.no_grad():
        for index, one in enumerate(passes):
            torch.manual_seed(seeds[index])
            found.append(network.vectors(one))
    vectors = torch.cat(found).requires_grad_()
    loss = together(objective, vectors, passes)
    mean = loss.total / loss.weight
    mean.backward()  # type: ignore[no-untyped-call]
    assert vectors.grad is not None
    slopes = iter(torch.split(vectors.grad, [len(part) for part in found]))
    for index, one in enumerate(passes):
        torch.manual_seed(seeds[index])
        network.vectors(one).backward(next(slopes))  # type: ignore[no-untyped-call]
        done(float(mean.detach()), one)
    return float(mean.detach())
