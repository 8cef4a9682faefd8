"""Transformation: a text into another, by an encoder-decoder (summaries, translations)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from afina.errors import DataError, RequestError
from afina.tasks.written import Written
from afina.types import (
    IGNORED,
    Answer,
    ChatExample,
    Encoded,
    Example,
    Head,
    Input,
    Message,
    Renderer,
    Targets,
)

SUMMARY_SHARE = 0.5
"""Share of the source's length up to which, on average, a target is taken for a summary."""


class Transform(Written):
    """Turn a text into another with an encoder-decoder: a summary, a translation."""

    name: Literal["transform"] = "transform"
    kind: Literal["summary", "translation"] | None = None
    """Decides scorers and baselines only. Left out: a summary where the targets of the data are, on
    average, at most half as long as their sources."""
    prefix: str = ""
    """Text before every source, where the base was trained with one: ``"summarize: "`` for T5."""
    source_language: str | None = None
    """Language code of the sources, for a base whose tokenizer writes one (mBART: ``en_XX``)."""
    target_language: str | None = None
    """Language code of the targets, for a base whose tokenizer writes one (mBART: ``es_XX``)."""

    accepts: ClassVar[tuple[type[Example], ...]] = (ChatExample,)
    head: ClassVar[Head] = "tokens"
    reads_source: ClassVar[bool] = True
    serves: ClassVar[tuple[str, ...]] = ("completion",)

    @property
    def targets(self) -> Targets:
        return "tokens"

    def resolve(self, examples: Sequence[Example]) -> Transform:
        for example in examples:
            row = cast(ChatExample, example)
            if [m.role for m in row.messages] != ["user", "assistant"] or row.tools:
                raise DataError(
                    "the row is a conversation, and the task turns one text into another",
                    where=row.where,
                    do="give rows with a source and a target, or set task: generate",
                )
        if self.kind is not None:
            return self
        read = sum(len(_pair(e)[0]) for e in examples)
        written = sum(len(_pair(e)[1]) for e in examples)
        short = written <= SUMMARY_SHARE * read
        return self.model_copy(update={"kind": "summary" if short else "translation"})

    def question(self, example: Example) -> Input:
        return Input((Message("user", _pair(example)[0]),))

    def gold(self, example: Example) -> Answer:
        return Answer(text=_pair(example)[1])

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        source, target = _pair(example)
        ids = renderer.target(target, self.target_language)
        targets = (IGNORED, *ids[1:])
        return Encoded(example.id, ids, targets, source=self._source(source, renderer))

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        if len(given.messages) != 1 or given.tools:
            raise RequestError(
                "the model turns one text into another: it reads no conversation",
                where="messages",
                do="give one message with the text",
            )
        return self._source(given.messages[0].content, renderer)

    def scorers(self) -> tuple[str, ...]:
        if self.kind == "summary":
            return ("rouge_l", "rouge_1", "rouge_2", "chrf", "perplexity")
        return ("chrf", "bleu", "exact_match", "perplexity")

    def baselines(self) -> tuple[str, ...]:
        return ("lead" if self.kind == "summary" else "copy", "nearest", "zero_shot")

    def _source(self, text: str, renderer: Renderer) -> tuple[int, ...]:
        return renderer.source(self.prefix + text, self.source_language)


def _pair(example: Example) -> tuple[str, str]:
    source, target = cast(ChatExample, example).messages
    return source.content, target.content
