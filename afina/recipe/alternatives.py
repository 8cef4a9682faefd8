"""The knobs of the ways beside fine-tuning: answering from documents, and deciding between ways."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from afina.types import Knobs


class Retrieval(Knobs):
    """Documents of yours that a model is shown passages of, with each question."""

    documents: str | tuple[str, ...]
    """Folder, file or pattern of text, Markdown or JSON lines; or a list of them."""
    way: Literal["bm25", "embeddings", "both"] = "bm25"
    """How passages are found: by their words, by vectors of an embedder, or by both ranks joined."""
    embedder: str | None = None
    """Base that makes the vectors; left out: the recipe's base if it is an encoder, else
    intfloat/multilingual-e5-small."""
    passages: int = Field(3, ge=1, le=50)
    """Passages put before a question; those that do not fit the context are dropped and counted."""
    words: int = Field(120, ge=10, le=5000)
    """Most words of a passage."""
    overlap: int = Field(20, ge=0, le=1000)
    """Words that a passage repeats of the one before it, at most."""
    prompt: str = "Sources:\n\n{sources}\n\nQuestion: {question}"
    """What the question becomes; holds {sources} and {question}."""
    column: str | None = None
    """Column of the data that names the document which answers a row, for the hit rate; left out:
    a passage is a hit that holds most of the right answer's words."""

    @model_validator(mode="after")
    def _holds_together(self) -> Retrieval:
        if self.overlap >= self.words:
            raise ValueError(f"overlap {self.overlap} is not below words {self.words}")
        missing = [name for name in ("{sources}", "{question}") if name not in self.prompt]
        if missing:
            raise ValueError(f"prompt does not hold {' and '.join(missing)}")
        return self


__all__ = ["Retrieval"]
