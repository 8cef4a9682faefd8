"""An index over the user's documents, with a base that makes its vectors where one is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afina.recipe import Retrieval
from afina.retrieval import Index, read_documents

if TYPE_CHECKING:
    from afina.models.embed import Embedder
    from afina.models.sources import Base

EMBEDDER = "intfloat/multilingual-e5-small"
"""Where the recipe names none and its base is no encoder: small, and made for many languages."""
PASSAGE_PROMPTS = ("passage", "document", "corpus")
"""Under which name sentence encoders keep what they want before a passage."""


class BaseVectors:
    """Vectors of a base, with the words before questions and passages that it was trained with."""

    def __init__(
        self, base: Base, *, cache: Path | None = None, device: str = "cpu", dtype: Any = None
    ) -> None:
        import torch

        from afina.models.embed import Embedder

        self.base = base
        self._cache = cache
        self._embedder: Embedder = Embedder.open(base, device=device, dtype=dtype or torch.float32)
        self._question = self._embedder.prompt
        known = dict(base.prompts)
        self._passage = next((known[name] for name in PASSAGE_PROMPTS if name in known), "")

    def passages(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors([self._passage + text for text in texts], self._cache)

    def questions(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return self._vectors([self._question + text for text in texts], None)

    def fits(self, text: str) -> bool:
        longest = max(self._question, self._passage, key=len) + text
        self._embedder.prompt = ""
        return 0 < len(self._embedder.ids(longest)) <= self.base.context_length

    def _vectors(self, texts: Sequence[str], cache: Path | None) -> NDArray[np.float32]:
        self._embedder.prompt = ""
        found: NDArray[np.float32] = self._embedder.vectors(texts, normalised=True, cache=cache)
        return found


def open_index(
    settings: Retrieval,
    base: Base | None = None,
    *,
    encoding: str | None = None,
    device: str = "cpu",
    dtype: Any = None,
    cache: Path | None = None,
    say: Callable[[str], None] | None = None,
) -> Index:
    """Read, cut and index the documents of a recipe; ``say`` is told what was left out.

    Raises DataError where there are none, ModelError or MachineError for an embedder that cannot
    be had.
    """
    documents = read_documents(_sources(settings), encoding)
    embedder = None
    if settings.way != "bm25":
        from afina.models.sources import resolve

        own = base if settings.embedder is None and base and base.kind == "encoder" else None
        chosen = own or resolve(settings.embedder or EMBEDDER, say=say)
        embedder = BaseVectors(chosen, cache=cache, device=device, dtype=dtype)
    index = Index(
        documents,
        way=settings.way,
        words=settings.words,
        overlap=settings.overlap,
        embedder=embedder,
    )
    if say is not None:
        say(f"documents: {index.describe()}")
        for note in documents.notes:
            say(f"documents: {note}")
        for name, reason in documents.left_out:
            say(f"documents: left out {name}: {reason}")
    return index


def _sources(settings: Retrieval) -> list[str]:
    given = settings.documents
    return [given] if isinstance(given, str) else list(given)
