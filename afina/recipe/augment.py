"""The knobs of rows that are made of the training rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from afina.types import Knobs


class Augment(Knobs):
    """Rows made of the training rows by saying them in other words; never of other splits."""

    by: tuple[Literal["synonyms", "back_translation"], ...] = Field(("synonyms",), min_length=1)
    """Ways: words of the same meaning (WordNet, a Spanish thesaurus), or translation and back."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the training rows that rows are made of, drawn by the seed."""
    copies: int = Field(1, ge=1, le=20)
    """Rows made of each by synonyms; translation makes one."""
    rate: float = Field(0.2, gt=0, le=1)
    """Share of the words with synonyms that are replaced; one at least."""
    language: Literal["en", "es"] | None = None
    """Language of the rows; left out: each row's own."""
    model: str | None = None
    """Base that translates; left out: Apertium, where it is installed."""
    seed: int = Field(7, ge=0, lt=2**31)
    """Seed of the rows and words that are drawn."""


__all__ = ["Augment"]
