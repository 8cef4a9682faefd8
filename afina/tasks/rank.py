"""Recommendation: the items that fit a history or a query best, among those of the data."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from afina.tasks.matched import Matched
from afina.types import Encoded, Example, Renderer


class Rank(Matched):
    """Recommend items: the best ones for what somebody chose before, or for what is asked."""

    name: Literal["rank"] = "rank"

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """With the group of the row: the person who chose, whose other choices are not wrong."""
        return replace(super().encode(example, renderer), group=example.group or "")

    def scorers(self) -> tuple[str, ...]:
        return ("ndcg", "hit_at_1", "hit_at_5", "hit_at_10", "mrr")

    def baselines(self) -> tuple[str, ...]:
        return ("popular", "neighbours", "bm25", "vectors")
