"""The knobs of the proof: changed wordings, swapped groups, and the items of the general probe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from afina.types import Knobs

Change = Literal["typos", "case", "accents", "spaces", "punctuation"]
CHANGES: tuple[Change, ...] = ("typos", "case", "accents", "spaces", "punctuation")

PROBE_ITEMS = 160
"""Items of the general probe: 120 questions and 40 texts."""


class Robustness(Knobs):
    """Asks the tuned model again with the same questions written otherwise."""

    changes: tuple[Change, ...] = CHANGES
    """How questions are changed: typing errors of an English or Spanish keyboard, another case, no
    accents, more spaces, no punctuation."""
    share: float = Field(0.1, gt=0, le=1)
    """Share of the longer words that get a typing error; at least one a question."""
    rows: int = Field(200, ge=10)
    """Test rows that are asked again, drawn by the seed."""
    paraphrases: str | None = None
    """A file with other wordings of test questions: columns ``paraphrase`` and ``id`` (of the row) or
    ``question``."""


class Bias(Knobs):
    """Looks for answers that depend on who somebody is."""

    groups: tuple[str, ...] = ()
    """Columns of the test rows that name a group of people; the report compares their scores."""
    swaps: bool = True
    """Ask again with she for he, Ana for Juan and so on (English and Spanish)."""
    terms: str | None = None
    """A file with pairs of terms of your own to swap: two columns, ``one`` and ``other``."""
    at_most: float = Field(0.05, ge=0, lt=1)
    """Share of the answers that may change with a swap; the report warns where more do for sure."""

    @model_validator(mode="after")
    def _looks_at_something(self) -> Bias:
        if not (self.groups or self.swaps or self.terms):
            raise ValueError("name columns in groups, or leave swaps on")
        return self
