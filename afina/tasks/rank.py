"""Recommendation: the items that fit a history or a query best, among those of the data."""

from __future__ import annotations

from typing import Literal

from afina.tasks.matched import Matched


class Rank(Matched):
    """Recommend items: the best ones for what somebody chose before, or for what is asked."""

    name: Literal["rank"] = "rank"

    def scorers(self) -> tuple[str, ...]:
        return ("ndcg", "hit_at_1", "hit_at_5", "hit_at_10", "mrr")

    def baselines(self) -> tuple[str, ...]:
        return ("popular", "neighbours", "bm25", "vectors")
