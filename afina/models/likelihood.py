"""How probable the right answers are to a network, row by row: the sums behind perplexity.

The same rows and the same ``Network`` methods as in training; only the sums are kept by row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import torch

from afina.errors import ModelError
from afina.models.decoder import continued, shared_length, work_prefix
from afina.models.load import Model
from afina.models.masked import MaskedNetwork, Masker
from afina.models.memory import kept_memory
from afina.types import IGNORED, Batch, Encoded

ROWS_AT_ONCE = 32
TOKENS_AT_ONCE = 8192
"""Most padded tokens of a forward pass."""


def like_lengths(
    lengths: Sequence[int], rows: int = ROWS_AT_ONCE, tokens: int = TOKENS_AT_ONCE
) -> Iterable[list[int]]:
    """Row numbers in batches of like length, longest first; a single row may exceed ``tokens``."""
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        size = max(1, min(rows, tokens // max(1, lengths[order[0]])))
        yield order[:size]
        order = order[size:]


def padded(
    rows: Sequence[Sequence[int]], device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids int64 [B, T], padded on the right with 0, and lengths int64 [B]."""
    lengths = [len(r) for r in rows]
    ids = torch.zeros(len(rows), max(lengths), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : lengths[i]] = torch.tensor(list(row), dtype=torch.long)
    return ids.to(device), torch.tensor(lengths).to(device)


def check_fits(model: Model, rows: Sequence[Sequence[int]], names: Sequence[str]) -> None:
    """Raise ModelError for the first row that is empty or that the base cannot take whole."""
    context = model.context_length
    for row, name in zip(rows, names, strict=True):
        if not row:
            raise ModelError("there are no tokens in it", where=name, do="write something")
        if len(row) > context:
            raise ModelError(
                f"{len(row)} tokens, and {model.base.name} takes {context}",
                where=name,
                do="shorten the text, or take a base with a longer context",
                told=("too_long", {"tokens": len(row), "most": context}),
            )


@kept_memory()
@torch.inference_mode()
def answer_losses(model: Model, rows: Sequence[Encoded]) -> list[tuple[float, int]]:
    """For each row: the negative log-probability of its targets in nats, and their number."""
    result: list[tuple[float, int]] = [(0.0, 0)] * len(rows)
    for part in like_lengths([r.longest for r in rows]):
        ids, lengths = padded([rows[i].ids for i in part], model.device)
        sources = padded([rows[i].source for i in part], model.device)
        targets = torch.full_like(ids, IGNORED)
        for place, i in enumerate(part):
            targets[place, : len(rows[i].targets)] = torch.tensor(rows[i].targets)
        counts = (targets[:, 1:] != IGNORED).sum(1).tolist()
        each = torch.arange(len(ids), device=ids.device)
        batch = Batch(ids, lengths, targets, "tokens", each)
        if rows[0].source:
            batch = replace(batch, sources=sources[0], source_lengths=sources[1])
        values = model.network.token_logprobs(batch).double().cpu()
        start = 0
        for i, count in zip(part, counts, strict=True):
            result[i] = (-float(values[start : start + count].sum()), count)
            start += count
    return result


def summed_losses(
    model: Model, rows: Sequence[Encoded], rows_at_once: int | None = None
) -> list[tuple[float, int]]:
    """As ``answer_losses``, over all stretches of a row that are right (not those over a worse
    answer). A masked model is asked for each token once, from both its sides.

    ``rows_at_once``: work so many in the order in which they are given; left out: by length.
    """
    each = [[row, *(s for s in row.others if s.worth > 0)] for row in rows]
    if isinstance(model.network, MaskedNetwork):
        masker = Masker.of(model.renderer)
        each = [[once for part in parts for once in masker.each_once(part)] for parts in each]
    parts = [part for some in each for part in some]
    size = rows_at_once or len(parts)
    losses = (answer_losses(model, parts[i : i + size]) for i in range(0, len(parts), size))
    found = iter([one for some in losses for one in some])
    own = [[next(found) for _ in some] for some in each]
    return [(sum(nats for nats, _ in row), sum(count for _, count in row)) for row in own]


@kept_memory()
@torch.inference_mode()
def answer_losses_behind_head(model: Model, rows: Sequence[Encoded]) -> list[tuple[float, int]]:
    """As ``answer_losses``, for rows that begin alike (a long prompt): the beginning is worked once.

    Nothing of the beginning may be in the loss; where it is, or nothing is shared, every row is
    worked whole.
    """
    shared = shared_length([row.ids for row in rows])
    prefix = work_prefix(model, rows[0].ids[:shared]) if shared else None
    if prefix is None or any(t != IGNORED for row in rows for t in row.targets[: shared + 1]):
        return answer_losses(model, rows)
    result: list[tuple[float, int]] = [(0.0, 0)] * len(rows)
    tails = [row.ids[shared:] for row in rows]
    for part in like_lengths([len(t) for t in tails]):
        ids, _ = padded([tails[i] for i in part], model.device)
        targets = torch.full_like(ids, IGNORED)
        for place, i in enumerate(part):
            wanted = torch.tensor(rows[i].targets[shared + 1 :])
            targets[place, : len(wanted)] = wanted
        counts = (targets != IGNORED).sum(1).tolist()
        values = continued(model, prefix, ids, targets).double().cpu()
        for i, own in zip(part, torch.split(values, counts), strict=True):
            result[i] = (-float(own.sum()), len(own))
    return result


@kept_memory()
@torch.inference_mode()
def label_scores(
    model: Model, rows: Sequence[Sequence[int]], batch_size: int | None = None
) -> list[list[float]]:
    """The head's scores (logits) of each row of ids."""
    result: list[list[float]] = [[]] * len(rows)
    for part in like_lengths([len(r) for r in rows], batch_size or ROWS_AT_ONCE):
        ids, lengths = padded([rows[i] for i in part], model.device)
        none = torch.empty(len(ids), 0, dtype=torch.long, device=ids.device)
        batch = Batch(ids, lengths, none, "nothing", torch.arange(len(ids), device=ids.device))
        scores = model.network.label_scores(batch).cpu().tolist()
        for i, own in zip(part, scores, strict=True):
            result[i] = own
    return result
