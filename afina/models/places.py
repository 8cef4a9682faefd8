"""Scores of single tokens, for the tasks that look for stretches of a text."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from afina.models.likelihood import ROWS_AT_ONCE, check_fits, like_lengths, padded
from afina.models.load import Model
from afina.types import Answer, Batch, Input, Window

Scores = list[list[float]]
"""[place, output] of one window."""


def place_answers(
    model: Model, inputs: Sequence[Input], batch_size: int | None = None
) -> list[Answer]:
    """One answer for each input, in order. Raises ModelError for one that is too long or empty."""
    task = model.task
    windows = [task.windows(given, model.renderer) for given in inputs]
    flat = [window for some in windows for window in some]
    names = [f"text {i}" for i, some in enumerate(windows, 1) for _ in some]
    check_fits(model, [window.ids for window in flat], names)
    scores = iter(place_scores(model, flat, batch_size))
    return [
        task.from_windows(given, some, [next(scores) for _ in some])
        for given, some in zip(inputs, windows, strict=True)
    ]


@torch.inference_mode()
def place_scores(
    model: Model, windows: Sequence[Window], batch_size: int | None = None
) -> list[Scores]:
    """The head's scores (logits) at the places of each window."""
    result: list[Scores] = [[]] * len(windows)
    for part in like_lengths([len(w.ids) for w in windows], batch_size or ROWS_AT_ONCE):
        ids, lengths = padded([windows[i].ids for i in part], model.device)
        none = torch.empty(len(ids), 0, dtype=torch.long, device=ids.device)
        batch = Batch(ids, lengths, none, "nothing", torch.arange(len(ids), device=ids.device))
        scores = model.network.tag_scores(batch).cpu()
        for own, i in zip(scores, part, strict=True):
            result[i] = own[[token for token, _, _ in windows[i].places]].tolist()
    return result
