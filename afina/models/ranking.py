"""The texts nearest to a query among many, by the cosine of their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afina.models.embed import Embedder
from afina.tasks.matched import best
from afina.types import Answer, Input


class Ranker:
    """Ranks the candidates of each input. Two embedders, as queries and texts may have prompts.

    The vectors of the candidates are kept while the same ones are asked for.
    """

    def __init__(self, queries: Embedder, texts: Embedder) -> None:
        self._queries = queries
        self._texts = texts
        self._known: tuple[tuple[str, ...], np.ndarray] = ((), np.zeros((0, 0), np.float32))

    def rank(self, inputs: Sequence[Input]) -> list[Answer]:
        """The best candidates of each input, the best first."""
        asked = self._queries.vectors([given.text for given in inputs], normalised=True)
        return [
            best(
                given.candidates,
                (self._vectors(given.candidates) @ query).tolist(),
                len(self._queries.ids(given.text)),
            )
            for given, query in zip(inputs, asked, strict=True)
        ]

    def _vectors(self, candidates: tuple[str, ...]) -> np.ndarray:
        if self._known[0] is not candidates and self._known[0] != candidates:
            self._known = (candidates, self._texts.vectors(candidates, normalised=True))
        return self._known[1]
