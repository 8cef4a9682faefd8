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
    learn: bool = False
    """Whether rows are learned with their passages in the prompt, and the tuned model is measured
    and served with them."""
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


class Decide(Knobs):
    """How the ways are compared before anything is trained in earnest (afina decide)."""

    ways: tuple[str, ...] | None = None
    """Ways that need no training, by the names of the baselines; left out: those that suit the task
    and the base."""
    methods: tuple[str, ...] | None = None
    """Methods that get a short trial; left out: the recipe's, else the one that the plan chooses."""
    rows: int = Field(100, ge=10, le=10_000)
    """Most validation rows that all ways are measured on."""
    steps: int = Field(40, ge=1, le=100_000)
    """Optimiser steps of each trial."""
    from_scratch: bool = False
    """Whether a network of the base's shape with random weights gets a trial of its own, all of it
    trained: what the base's own training is worth to this task."""
    shares: tuple[float, ...] = (0.1, 0.25, 0.5, 1.0)
    """Shares of the training rows that make the learning curve."""
    latency_rows: int = Field(10, ge=1, le=1000)
    """Questions that each way answers one at a time, for its latency."""
    bases: int = Field(3, ge=0, le=100)
    """Bases at hand that are ranked beside the recipe's own, smallest first."""
    base_rows: int = Field(16, ge=1, le=1000)
    """Rows that bases are ranked on; none of them is a row that decides."""
    changes: Literal["never", "yearly", "monthly", "weekly", "daily"] = "never"
    """How often what the right answers say changes; from monthly on, documents are asked for."""
    hour_price: float = Field(0.10, ge=0)
    """Assumed cost of an hour of this machine, in euros."""
    prompt_price: float | None = Field(None, ge=0)
    """Euros for a million tokens of a prompt, where a hosted model answers; left out: the machine's
    hour is what a request costs."""
    answer_price: float | None = Field(None, ge=0)
    """Euros for a million tokens of an answer, where a hosted model answers."""
    label_seconds: float = Field(30.0, ge=0)
    """Assumed time in which a person writes or checks one row."""
    label_hour_price: float = Field(20.0, ge=0)
    """Assumed cost of an hour of that person, in euros."""

    @model_validator(mode="after")
    def _rising_shares(self) -> Decide:
        if not self.shares or self.shares[-1] != 1.0 or self.shares[0] <= 0:
            raise ValueError("shares lie above 0 and end with 1")
        if list(self.shares) != sorted(set(self.shares)):
            raise ValueError("shares must rise")
        if (self.prompt_price is None) != (self.answer_price is None):
            raise ValueError("prompt_price and answer_price are given together, or neither")
        return self


__all__ = ["Decide", "Retrieval"]
