"""Which passages answer a question: by words (BM25), by vectors, or by both; exact, in memory.

Knows no models: what makes vectors is passed in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from afina.errors import RequestError
from afina.retrieval.bm25 import Bm25
from afina.retrieval.documents import Documents
from afina.retrieval.passages import Passage, cut

Way = Literal["bm25", "embeddings", "both"]
FUSION = 60
"""Ranks are joined as 1 / (60 + rank), summed (Cormack, Clarke and Büttcher 2009)."""
QUESTIONS_AT_ONCE = 256


class Embeds(Protocol):
    """What turns texts into vectors of length 1, float32 [N, D]."""

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def questions(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def fits(self, text: str) -> bool:
        """Whether a text is short enough to be embedded whole."""
        ...


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found. Scores of different questions cannot be compared."""

    passage: Passage
    score: float


class Index:
    """Passages that can be searched. ``shortened``: questions too long to be embedded whole."""

    def __init__(
        self,
        documents: Documents,
        *,
        way: Way = "bm25",
        words: int = 120,
        overlap: int = 20,
        embedder: Embeds | None = None,
    ) -> None:
        if way != "bm25" and embedder is None:
            raise RequestError(
                f"retrieval by {way} needs a base that makes vectors",
                where="retrieval.embedder",
                do="name one, or set retrieval.way to bm25",
            )
        self.documents = documents
        self.way = way
        self._embedder = embedder if way != "bm25" else None
        fits = self._embedder.fits if self._embedder else None
        self.passages = cut(documents.items, words, overlap, fits)
        texts = [passage.text for passage in self.passages]
        self._bm25 = Bm25(texts) if way != "embeddings" else None
        self._vectors = self._embedder.passages(texts) if self._embedder else None
        self.shortened = 0

    @cached_property
    def sha256(self) -> str:
        """Hash of the passages, in order: equal ones are found and shown alike."""
        digest = hashlib.sha256(self.way.encode())
        for passage in self.passages:
            for text in (passage.id, passage.text):
                data = text.encode("utf-8", "surrogatepass")
                digest.update(len(data).to_bytes(8, "little") + data)
        return digest.hexdigest()

    def search(self, questions: Sequence[str], count: int) -> list[list[Hit]]:
        """The best ``count`` passages of each question, best first; of equals, the earlier one.

        By words alone, passages that share no word with the question are not hits.
        """
        found: list[list[Hit]] = []
        for start in range(0, len(questions), QUESTIONS_AT_ONCE):
            part = questions[start : start + QUESTIONS_AT_ONCE]
            scores = self._scores(part)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
            for row, places in zip(scores, order, strict=True):
                found.append([Hit(self.passages[i], float(row[i])) for i in places if row[i] > 0])
        return found

    def describe(self) -> str:
        """For people, on one line."""
        kinds = {
            "bm25": "by words (BM25)",
            "embeddings": "by vectors",
            "both": "by words and vectors",
        }
        return (
            f"{len(self.passages):,} passages of {len(self.documents.items):,} documents, "
            f"searched {kinds[self.way]}"
        )

    def _scores(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Float64 [questions, passages]; above 0 for everything that may be a hit."""
        by_words = self._bm25.scores(questions) if self._bm25 else None
        by_vectors = self._cosines(questions)
        if by_vectors is None:
            assert by_words is not None
            return by_words
        if by_words is None:
            return 1.0 + by_vectors
        return _fused(by_words) + _fused(1.0 + by_vectors)

    def _cosines(self, questions: Sequence[str]) -> NDArray[np.float64] | None:
        if self._embedder is None or self._vectors is None:
            return None
        asked = self._embedder.questions([self._short(question) for question in questions])
        return np.asarray(asked @ self._vectors.T, dtype=np.float64)

    def _short(self, question: str) -> str:
        """The question, or as much of its end as fits the embedder; counted."""
        assert self._embedder is not None
        if self._embedder.fits(question):
            return question
        self.shortened += 1
        words = question.split()
        while len(words) > 1 and not self._embedder.fits(" ".join(words)):
            words = words[-(len(words) * 3 // 4) :]
        short = " ".join(words)
        while not self._embedder.fits(short):
            short = short[-(len(short) // 2) :]
        return short


def _fused(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (FUSION + rank) for scores above 0, else 0."""
    order = np.argsort(-scores, axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(1, scores.shape[1] + 1)[None, :], axis=1)
    return np.where(scores > 0, 1.0 / (FUSION + ranks), 0.0)
