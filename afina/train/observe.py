"""What an objective wants to know of the network before its weights move, worked out once.

A reference's log-probabilities or a teacher's scores never change while training, so no step pays for
them. A resumed run works them out again from the same weights: equal bits.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace

import torch

from afina.models.load import Model
from afina.models.memory import kept_memory
from afina.train.batches import collate
from afina.train.bottom import Bottom
from afina.train.rows import Rows
from afina.types import Batch, Encoded, Objective, Targets

ROWS_AT_ONCE = 8


def observed(model: Model, objective: Objective, rows: Rows) -> tuple[Encoded, ...]:
    """The rows with what ``objective.observe`` says of their sequences; as they are if it is None.

    Always the same rows together, whatever the batch size, so that the numbers do not hang on it.
    """
    if type(objective).observe is Objective.observe or not rows.kept or rows.kept[0].noted:
        return rows.kept  # nothing to note, or a teacher has said it already
    model.network.eval()
    order = sorted(range(len(rows.kept)), key=lambda i: -rows.kept[i].longest)
    found: dict[int, Encoded] = {}
    with torch.no_grad(), kept_memory():
        for start in range(0, len(order), ROWS_AT_ONCE):
            part = order[start : start + ROWS_AT_ONCE]
            chosen = [rows.kept[i] for i in part]
            batch = collate(chosen, kind=rows.kind, device=model.device)
            numbers = objective.observe(model.network, batch)
            if numbers is None:
                return rows.kept
            given = iter(numbers.float().cpu().tolist())
            for i, row in zip(part, chosen, strict=True):
                found[i] = _noted(row, [next(given) for _ in row.sequences])
    return tuple(found[i] for i in range(len(rows.kept)))


def surveyed(
    model: Model,
    objective: Objective,
    chunks: Sequence[Sequence[Encoded]],
    kind: Targets,
    bottom: Bottom | None = None,
) -> list[Batch]:
    """The passes of one step, with what ``objective.survey`` says of all of them together.

    ``bottom`` gives the states below the lowest trained layer.
    """
    batches = [collate(chunk, kind=kind, device=model.device) for chunk in chunks]
    if bottom is not None:
        batches = [bottom.fill(b, chunk) for b, chunk in zip(batches, chunks, strict=True)]
    if type(objective).survey is Objective.survey:
        return batches
    model.network.eval()
    with torch.no_grad():
        step = objective.survey(model.network, batches)
    return batches if step is None else [replace(batch, step=step) for batch in batches]


def _noted(row: Encoded, numbers: Sequence[Sequence[float]]) -> Encoded:
    own, *further = (
        array("f", n) for n in numbers
    )  # a list of floats would take eight times as much
    others = tuple(replace(s, noted=n) for s, n in zip(row.others, further, strict=True))
    return replace(row, noted=own, others=others)
