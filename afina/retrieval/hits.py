"""How often retrieval finds what answers the question (hit rate at k)."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from afina.evaluate.intervals import wilson
from afina.retrieval.bm25 import words_of
from afina.retrieval.index import Hit, Index

COUNTS = (1, 3, 5, 10)
ANSWER_SHARE = 0.6
"""Of the words of the right answer that the question does not hold: what a passage must have."""
LEAST_CHARACTERS = 3
"""Words of the answer that are shorter say nothing about where it stands."""


@dataclass(frozen=True)
class HitRate:
    """``shares``: k to (value, low, high): questions with a hit among the first k passages.

    ``by`` ``document``: the rows name the documents that answer them. ``answer``: they do not, and
    a passage counts that holds enough of the right answer's words. ``unmeasured``: rows that say
    neither. ``seconds``: for one question.
    """

    by: Literal["document", "answer"]
    shares: Mapping[int, tuple[float, float, float]]
    rows: int
    unmeasured: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        shares = {
            str(k): dict(zip(("value", "low", "high"), share, strict=True))
            for k, share in self.shares.items()
        }
        return asdict(self) | {"shares": shares}


def hit_rate(
    index: Index,
    questions: Sequence[str],
    answers: Sequence[str],
    documents: Sequence[Collection[str]] | None = None,
    *,
    counts: Sequence[int] = COUNTS,
    confidence: float = 0.95,
) -> HitRate | None:
    """Measure over rows. ``documents``: the names of those that answer each row (empty: unknown).

    None where no row can be measured.
    """
    started = time.perf_counter()
    found = index.search(questions, max(counts))
    seconds = (time.perf_counter() - started) / max(1, len(questions))
    firsts: list[int | None] = []
    for number, hits in enumerate(found):
        if documents is not None:
            if documents[number]:
                firsts.append(_first_document(hits, documents[number]))
        elif wanted := _telling(answers[number], questions[number]):
            firsts.append(_first_answer(hits, wanted))
    rows = len(firsts)
    if not rows:
        return None
    shares = {}
    for k in counts:
        right = sum(first is not None and first < k for first in firsts)
        shares[k] = (right / rows, *wilson(right, rows, confidence))
    by: Literal["document", "answer"] = "answer" if documents is None else "document"
    return HitRate(by, shares, rows, len(questions) - rows, seconds)


def _first_document(hits: Sequence[Hit], wanted: Collection[str]) -> int | None:
    places = (i for i, hit in enumerate(hits) if hit.passage.document in wanted)
    return next(places, None)


def _telling(answer: str, question: str) -> set[str]:
    """Words of the answer that the question does not give away."""
    words = {word for word in words_of(answer) if len(word) >= LEAST_CHARACTERS}
    return words - set(words_of(question))


def _first_answer(hits: Sequence[Hit], wanted: set[str]) -> int | None:
    for i, hit in enumerate(hits):
        there = wanted & set(words_of(hit.passage.text))
        if len(there) >= ANSWER_SHARE * len(wanted):
            return i
    return None
