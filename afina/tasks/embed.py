"""Text vectors for search: a query comes to lie nearest to the texts that belong to it."""

from __future__ import annotations

from typing import Literal

from afina.tasks.matched import Matched


class Embed(Matched):
    """Make vectors of texts, in which a query lies nearest to the texts that belong to it."""

    name: Literal["embed"] = "embed"

    def scorers(self) -> tuple[str, ...]:
        return ("ndcg", "mrr", "recall_at_1", "recall_at_10")

    def baselines(self) -> tuple[str, ...]:
        return ("bm25", "vectors")
