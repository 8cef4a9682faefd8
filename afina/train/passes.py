"""How many tokens the passes of a run would work, padded and laid end to end."""

from __future__ import annotations

from collections.abc import Sequence

from afina.models.layout import lay_out
from afina.train.batches import Schedule, micro_batches
from afina.types import Encoded

STEPS_LOOKED_AT = 24


def count_tokens(
    rows: Sequence[Encoded], batch_size: int, pass_size: int, seed: int
) -> tuple[int, int]:
    """(padded, flat) tokens of the first steps: flat has no padding, and shared beginnings once."""
    schedule = Schedule([r.longest for r in rows], batch_size, seed)
    padded = flat = 0
    for step in range(min(STEPS_LOOKED_AT, schedule.steps_per_epoch)):
        for part in micro_batches([rows[i] for i in schedule.step(step)], pass_size):
            sequences = [s.ids for row in part for s in row.sequences]
            padded += len(sequences) * max(len(ids) for ids in sequences)
            flat += lay_out(sequences).tokens
    return padded, flat
