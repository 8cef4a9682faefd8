"""Tagging: find the words of a text that name something, and say what they name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from afina.errors import DataError
from afina.tasks.words import chunks, path, tag_names, tags_of, words
from afina.types import (
    IGNORED,
    Answer,
    Encoded,
    Example,
    Head,
    Input,
    Message,
    Renderer,
    Span,
    TaggedExample,
    Targets,
    Task,
    Window,
)


class Tag(Task):
    """Find names and other labelled stretches of words in a text.

    The first piece of each word carries its tag; the others are not in the loss. Of all runs of tags
    that the scheme allows the likeliest is the answer.
    """

    name: Literal["tag"] = "tag"
    labels: tuple[str, ...] | None = None
    """What there is to find; found in the data when left out."""
    scheme: Literal["bio", "bioes"] = "bio"
    """How words are marked: begin and inside, or also end and single."""
    accepts: ClassVar[tuple[type[Example], ...]] = (TaggedExample,)
    head: ClassVar[Head] = "tags"
    serves: ClassVar[tuple[str, ...]] = ("tag",)

    @property
    def targets(self) -> Targets:
        return "tags"

    @property
    def outputs(self) -> int:
        return len(self.names)

    @property
    def known_labels(self) -> tuple[str, ...]:
        """The labels of a resolved task."""
        if self.labels is None:
            raise DataError("the labels are not known yet", where="task.labels")
        return self.labels

    @property
    def names(self) -> tuple[str, ...]:
        """The tags, in the order of the head's outputs."""
        return tag_names(self.known_labels, self.scheme)

    def resolve(self, examples: Sequence[Example]) -> Tag:
        found = sorted({s.label for e in examples for s in cast(TaggedExample, e).spans})
        labels = self.labels or tuple(found)
        unknown = [label for label in found if label not in set(labels)]
        if unknown:
            raise DataError(
                f"the data holds labels that task.labels does not name: {', '.join(unknown[:10])}",
                where="task.labels",
                do="add them, or leave task.labels out to take the labels of the data",
            )
        if not labels:
            raise DataError(
                "no row has a labelled stretch: nothing to learn",
                where="data.train",
                do="add some, or check data.columns.spans and data.columns.tags",
            )
        return self.model_copy(update={"labels": labels})

    def question(self, example: Example) -> Input:
        return Input((Message("user", cast(TaggedExample, example).text),))

    def gold(self, example: Example) -> Answer:
        return said(cast(TaggedExample, example).spans)

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        row = cast(TaggedExample, example)
        (window,) = self.windows(self.question(row), renderer)
        number = {name: i for i, name in enumerate(self.names)}
        places = [(start, end) for _, start, end in window.places]
        targets = [IGNORED] * len(window.ids)
        for (token, _, _), tag in zip(
            window.places, tags_of(places, row.spans, self.scheme), strict=True
        ):
            targets[token] = number[tag]
        return Encoded(row.id, window.ids, tuple(targets))

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        return self.windows(given, renderer)[0].ids

    def length(self, example: Example, renderer: Renderer) -> int:
        return len(self.prompt(self.question(example), renderer))

    def windows(self, given: Input, renderer: Renderer) -> tuple[Window, ...]:
        text = given.text
        found = words(text)
        ids, firsts = renderer.words([text[start:end] for start, end in found])
        placed = zip(firsts, found, strict=True)
        return (Window(ids, tuple((t, s, e) for t, (s, e) in placed if t is not None)),)

    def from_windows(
        self,
        given: Input,
        windows: Sequence[Window],
        scores: Sequence[Sequence[Sequence[float]]],
    ) -> Answer:
        (window,) = windows
        found = self.decode(given.text, [(s, e) for _, s, e in window.places], scores[0])
        return said(found, prompt_tokens=len(window.ids))

    def decode(
        self, text: str, places: Sequence[tuple[int, int]], scores: Sequence[Sequence[float]]
    ) -> tuple[Span, ...]:
        """The spans of words at ``places`` with scores (logits) [words, tags]."""
        logs = [_log_softmax(row) for row in scores]
        names = self.names
        best = path(logs, names)
        found = []
        for first, last, label in chunks([names[i] for i in best]):
            sure = math.exp(min(logs[i][best[i]] for i in range(first, last)))
            start, end = places[first][0], places[last - 1][1]
            found.append(Span(start, end, label, text[start:end], sure))
        return tuple(found)

    def stratum(self, example: Example) -> str | None:
        """The labels that occur, so that rare ones come into every part."""
        return " | ".join(sorted({s.label for s in cast(TaggedExample, example).spans}))

    def scorers(self) -> tuple[str, ...]:
        return (
            "entity_f1",
            "entity_precision",
            "entity_recall",
            "macro_entity_f1",
            "word_accuracy",
        )

    def baselines(self) -> tuple[str, ...]:
        return ("majority", "gazetteer", "word_linear")


def said(spans: Sequence[Span], prompt_tokens: int = 0) -> Answer:
    """Spans as an answer."""
    text = " | ".join(f"{s.label}: {s.text}" for s in spans)
    return Answer(text=text, spans=tuple(spans), prompt_tokens=prompt_tokens)


def _log_softmax(scores: Sequence[float]) -> list[float]:
    top = max(scores)
    total = top + math.log(sum(math.exp(s - top) for s in scores))
    return [s - total for s in scores]
