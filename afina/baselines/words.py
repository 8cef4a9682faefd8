"""Search by words, without any model: BM25 over the texts to choose among."""

from __future__ import annotations

from collections.abc import Sequence

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.retrieval.bm25 import Bm25
from afina.tasks import Matched
from afina.tasks.matched import best
from afina.types import Answer, Input


def build(request: Request) -> Baseline:
    """The texts whose words are those of the query, rare words first (Robertson and Zaragoza 2009)."""
    request.of(Matched, "bm25", "ranks texts")
    known: dict[tuple[str, ...], Bm25] = {}

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        found: list[Answer] = []
        for given in inputs:
            if given.candidates not in known:
                known.clear()
                known[given.candidates] = Bm25(given.candidates)
            found.append(
                best(given.candidates, known[given.candidates].scores([given.text])[0].tolist())
            )
        return found

    return Fitted("bm25", Facts("search by words (BM25)"), predict)
