"""Scores of ranked texts: hits, recall, reciprocal rank and NDCG, each over the ten best.

NDCG (Järvelin and Kekäläinen 2002) with one grade: a right text at place r is worth 1 / log2(r + 1), and
the sum is divided by the best there could be. A text that an answer names twice counts once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from afina.evaluate.scorer import Context, Counting, Row, Scorer, mean
from afina.tasks.matched import BEST
from afina.types import Answer, Example


def places_of(gold: Answer, answer: Answer) -> list[int]:
    """Places, from 1 on, at which the right texts stand in the answer."""
    right = set(gold.labels)
    given = list(dict.fromkeys(answer.labels))[:BEST]
    return [place for place, text in enumerate(given, 1) if text in right]


def hit(places: Sequence[int], _: int, most: int) -> float:
    """Whether a right text stands among the ``most`` best."""
    return float(any(place <= most for place in places))


def recall(places: Sequence[int], right: int, most: int) -> float:
    """Share of the right texts that stand among the ``most`` best."""
    return sum(place <= most for place in places) / right


def reciprocal(places: Sequence[int], _: int, most: int) -> float:
    """One over the place of the first right text."""
    return next((1.0 / place for place in places if place <= most), 0.0)


def gain(places: Sequence[int], right: int, most: int) -> float:
    """NDCG."""
    found = sum(1 / math.log2(place + 1) for place in places if place <= most)
    return found / sum(1 / math.log2(place + 1) for place in range(1, min(right, most) + 1))


def _scorer(
    name: str, sentence: str, of_row: Callable[[Sequence[int], int, int], float], most: int = BEST
) -> Scorer:
    def counting(context: Context) -> Counting:
        context.require_ranking(name)

        def count(_: Example, gold: Answer, answer: Answer) -> Row:
            return {0: of_row(places_of(gold, answer), len(set(gold.labels)), most), 1: 1.0}

        return Counting(2, count)

    share = of_row is hit
    return Scorer(name, sentence, counting, mean, proportion=share)


RANKING_SCORERS: tuple[Scorer, ...] = (
    _scorer(
        "ndcg",
        "How high the right texts stand among the ten best (NDCG at 10); 1 is all of them first.",
        gain,
    ),
    _scorer(
        "mrr", "One over the place of the first right text, 0 beyond ten (MRR at 10).", reciprocal
    ),
    _scorer("recall_at_1", "Share of the right texts found in the first place.", recall, 1),
    _scorer("recall_at_10", "Share of the right texts found among the ten best.", recall),
    _scorer("hit_at_1", "Share of the rows with a right text in the first place.", hit, 1),
    _scorer("hit_at_5", "Share of the rows with a right text among the five best.", hit, 5),
    _scorer("hit_at_10", "Share of the rows with a right text among the ten best.", hit),
)
