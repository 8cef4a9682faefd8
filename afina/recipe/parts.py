"""Small sections of the recipe, each below a knob of ``knobs``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from afina.types import Knobs


class Columns(Knobs):
    """Which column of the file plays which part; only needed where the names are not the usual ones."""

    text: str | None = None
    """The text to classify, or to find a number for; of a pair, the first."""
    text_b: str | None = None
    """The other text of a pair."""
    number: str | None = None
    """The number to learn."""
    tokens: str | None = None
    """The words of a text, a list."""
    tags: str | None = None
    """The tag of each word, a list."""
    spans: str | None = None
    """The labelled stretches of a text."""
    question: str | None = None
    """A question about a text."""
    passage: str | None = None
    """The text that a question is about (``context``)."""
    answers: str | None = None
    """The stretches of that text that answer it: texts with their places."""
    start: str | None = None
    """The character of that text at which the answer begins, counted from 0."""
    label: str | None = None
    """The label, or the labels (a list, or joined by ``|``)."""
    prompt: str | None = None
    """What is asked."""
    completion: str | None = None
    """The right answer."""
    messages: str | None = None
    """A conversation: a list of ``{role, content}``."""
    source: str | None = None
    """The text that is turned into another; ``translation.en`` for a column of translations."""
    target: str | None = None
    """The text that it is turned into."""
    query: str | None = None
    """The text that is searched for others."""
    positive: str | None = None
    """A text that belongs to the query."""
    negative: str | None = None
    """A text, or a list of them, that does not."""
    history: str | None = None
    """What somebody chose before: a list of items, the latest last."""
    item: str | None = None
    """The item that was chosen next."""
    clicked: str | None = None
    """Whether the item was chosen (1, 0); rows with 0 are left out and counted."""
    chosen: str | None = None
    """The better of two answers."""
    rejected: str | None = None
    """The worse of two answers."""
    id: str | None = None
    """A name for the row, used in lists and logs."""


class Replay(Knobs):
    """General rows that are learned beside the others, so that the model keeps what it knew."""

    source: str | tuple[str, ...]
    """File, glob, folder or Hugging Face data set, of rows of the same shape."""
    share: float = Field(0.1, gt=0, lt=1)
    """Their share of all rows that are learned."""
    columns: Columns = Columns()
    """Which column plays which part, where the names are not the usual ones."""


class Context(Knobs):
    """More tokens than the base was made for, by scaling its rotary positions (RoPE)."""

    length: int = Field(ge=2, le=4_194_304)
    """Tokens that the model is to take; train on rows of that length, or it will not read them well."""
    scaling: Literal["yarn", "linear", "ntk"] = "yarn"
    """How the angles are stretched: ``yarn`` angle by angle; ``linear`` all alike; ``ntk`` through their
    base, as Transformers' ``dynamic`` does at that length."""


class Forgetting(Knobs):
    """How much of what the base knew may be lost. A loss counts only where the items of the general
    probe show it: the paired interval of the change excludes none."""

    right: float = Field(0.05, ge=0, le=1)
    """Right answers to general questions, as a share of all questions (0.05: five points)."""
    perplexity: float = Field(0.2, ge=0)
    """Growth of the perplexity of general texts, as a share of the base's."""
