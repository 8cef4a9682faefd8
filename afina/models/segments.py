"""Which text of a pair each token belongs to, for networks that are told (Devlin et al. 2019, BERT).

It follows from the tokens themselves, so rows, batches and kept states carry nothing more for it.
"""

from __future__ import annotations

import torch


def segments(ids: torch.Tensor, mark: int | None) -> dict[str, torch.Tensor]:
    """What a network is told besides ids [B, T]: 1 for each token behind the first ``mark`` of its row.

    Nothing where there is no such token. What stands at padding means nothing.
    """
    if mark is None:
        return {}
    marks = (ids == mark).long()
    return {"token_type_ids": ((marks.cumsum(1) - marks) > 0).long()}
