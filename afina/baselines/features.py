"""Texts as TF-IDF vectors of words and of pieces of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from afina.errors import DataError


class TfIdf:
    """Sparse float64 rows. Words and pairs of words if ``words``, and 2 to 4 characters in a word.

    Term counts are damped (1 + log) and each part has length 1. Fitted on the texts it is given.
    """

    def __init__(self, texts: Sequence[str], *, words: bool, characters: tuple[int, int]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=characters, sublinear_tf=True)
        parts = [pieces]
        if words:
            pattern = r"(?u)\b\w+\b"
            parts.append(
                TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=pattern)
            )
        self._parts = [part for part in parts if _has_terms(part, texts)]
        if not self._parts:
            raise DataError(
                "the training texts hold no characters", where="data.train", do="check the columns"
            )
        self.matrix: Any = self._joined([part.fit_transform(texts) for part in self._parts])

    def __call__(self, texts: Sequence[str]) -> Any:
        """Rows [N, terms] of new texts; unknown terms count nothing."""
        return self._joined([part.transform(texts) for part in self._parts])

    @staticmethod
    def _joined(matrices: Sequence[Any]) -> Any:
        from scipy.sparse import hstack

        return hstack(list(matrices)).tocsr()


def _has_terms(vectoriser: Any, texts: Sequence[str]) -> bool:
    terms = vectoriser.build_analyzer()
    return any(terms(text) for text in texts)
