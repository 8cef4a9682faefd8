"""What the tasks share that look for the texts that belong to a query, by vectors."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest
from typing import ClassVar, Literal, Self, cast

from pydantic import PrivateAttr

from afina.errors import DataError
from afina.types import (
    Answer,
    Encoded,
    Example,
    Head,
    Input,
    Message,
    PairExample,
    Renderer,
    Targets,
    Task,
)

BEST = 10
"""Texts that an answer names, the best first."""


class Matched(Task):
    """A task whose answer is the texts, among many, that belong to a query, the best first."""

    pooling: Literal["auto", "first", "mean", "last"] = "auto"
    """How token vectors become one: the first, their mean, or the last. ``auto`` follows the base: what
    its sentence-embedding configuration says, else the mean for encoders, the last for decoders."""

    accepts: ClassVar[tuple[type[Example], ...]] = (PairExample,)
    head: ClassVar[Head] = "vector"
    usual_objective: ClassVar[str] = "contrast"
    serves: ClassVar[tuple[str, ...]] = ()

    _texts: tuple[str, ...] = PrivateAttr(())
    _right: dict[str, tuple[str, ...]] = PrivateAttr(default_factory=dict)

    @property
    def targets(self) -> Targets:
        return "nothing"

    def resolve(self, examples: Sequence[Example]) -> Self:
        texts = {cast(PairExample, e).positive for e in examples}
        if len(texts) < 2:
            raise DataError(
                "every query has the same text: nothing to tell apart",
                where="data.train",
                do="add rows with other texts",
            )
        return self

    def over(self, test: Sequence[Example], known: Sequence[Example]) -> Self:
        """With all texts of all rows to choose among; all that the test has for a query are right."""
        rows = [cast(PairExample, e) for e in (*known, *test)]
        copy = self.model_copy()
        copy._texts = tuple(dict.fromkeys(t for r in rows for t in (r.positive, *r.negatives)))
        right: dict[str, dict[str, None]] = {}
        for example in test:
            row = cast(PairExample, example)
            right.setdefault(row.query, {})[row.positive] = None
        copy._right = {query: tuple(texts) for query, texts in right.items()}
        return copy

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts to choose among; empty before ``over``."""
        return self._texts

    def question(self, example: Example) -> Input:
        query = cast(PairExample, example).query
        return Input((Message("user", query),), candidates=self._texts)

    def gold(self, example: Example) -> Answer:
        row = cast(PairExample, example)
        right = self._right.get(row.query, (row.positive,))
        return Answer(text=row.positive, labels=right)

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        row = cast(PairExample, example)
        before = renderer.prompt_of("passage")
        texts = (row.positive, *row.negatives)
        others = tuple(Encoded(row.id, renderer.text(before + text), ()) for text in texts)
        query = self.prompt(self.question(example), renderer)
        return Encoded(row.id, query, (), others=others)

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        return renderer.text(renderer.prompt_of("query") + given.text)


def best(candidates: Sequence[str], scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
    """The ten candidates with the highest scores; of equals, the earlier one first."""
    order = nsmallest(BEST, range(len(candidates)), key=lambda i: -scores[i])
    labels = tuple(candidates[i] for i in order)
    text = labels[0] if labels else ""
    return Answer(text=text, labels=labels, prompt_tokens=prompt_tokens, ranked=True)
