"""BM25 over passages (Robertson and Zaragoza 2009), exact, as one sparse matrix."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SATURATION = 1.2
"""k1: how fast a repeated word stops counting more."""
LENGTH_SHARE = 0.75
"""b: how much a long passage is held against it."""
_WORD = re.compile(r"\w+")


def words_of(text: str) -> list[str]:
    """Words in lower case and without accents, so that ``calefaccion`` finds ``calefacción``."""
    spread = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(c for c in spread if not unicodedata.combining(c)))


class Bm25:
    """Scores of passages for questions. The weight of a rare word is ln(1 + (N − n + ½)/(n + ½))."""

    def __init__(self, texts: Sequence[str]) -> None:
        from scipy.sparse import csr_array

        counts = [Counter(words_of(text)) for text in texts]
        vocabulary = sorted({word for own in counts for word in own})
        self.places = {word: i for i, word in enumerate(vocabulary)}
        lengths = np.array([sum(own.values()) for own in counts], dtype=np.float64)
        usual = float(lengths.mean()) if lengths.size and lengths.any() else 1.0
        rows = [i for i, own in enumerate(counts) for _ in own]
        columns = [self.places[word] for own in counts for word in own]
        amounts = np.array([n for own in counts for n in own.values()], dtype=np.float64)
        row_numbers = np.array(rows, dtype=np.int64)
        damped = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * lengths[row_numbers] / usual)
        shape = (len(texts), max(1, len(vocabulary)))
        holds = csr_array((np.ones(len(rows)), (rows, columns)), shape=shape)
        seen = np.asarray(holds.sum(axis=0)).ravel()
        rarity = np.log1p((len(texts) - seen + 0.5) / (seen + 0.5))
        values = amounts * (SATURATION + 1) / (amounts + damped)
        column_numbers = np.array(columns, dtype=np.int64)
        self._weights = csr_array(
            (values * rarity[column_numbers], (rows, columns)), shape=shape
        ).T.tocsr()

    def scores(self, questions: Sequence[str]) -> NDArray[np.float64]:
        """Float64 [questions, passages]; a word counts as often as it is asked."""
        from scipy.sparse import csr_array

        rows, columns, amounts = [], [], []
        for i, question in enumerate(questions):
            for word, amount in Counter(words_of(question)).items():
                if word in self.places:
                    rows.append(i)
                    columns.append(self.places[word])
                    amounts.append(float(amount))
        shape = (len(questions), self._weights.shape[0])
        asked = csr_array((amounts, (rows, columns)), shape=shape)
        return np.asarray((asked @ self._weights).toarray())
