"""Raw text: go on with it as it goes on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal, cast

from pydantic import Field

from afina.types import (
    IGNORED,
    Answer,
    Encoded,
    Example,
    Head,
    Input,
    Message,
    Renderer,
    Targets,
    Task,
    TextExample,
)


class Text(Task):
    """Know the language of a field: every token of a raw text is to become probable."""

    name: Literal["text"] = "text"
    window: int = Field(512, ge=16, le=131_072)
    """Longest stretch of a text in tokens that is read at once; longer texts are cut into several."""
    overlap: int = Field(0, ge=0)
    """Tokens of the stretch before that each stretch begins with; they are in the loss only once."""
    accepts: ClassVar[tuple[type[Example], ...]] = (TextExample,)
    head: ClassVar[Head] = "tokens"
    usual_objective: ClassVar[str] = "continue"
    serves: ClassVar[tuple[str, ...]] = ("completion",)

    @property
    def targets(self) -> Targets:
        return "tokens"

    def resolve(self, examples: Sequence[Example]) -> Text:
        return self

    def question(self, example: Example) -> Input:
        return Input((Message("user", cast(TextExample, example).text),))

    def gold(self, example: Example) -> Answer:
        return Answer(text="")

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """The text in stretches, each token but the very first in the loss exactly once.

        A stretch begins with the last token of the one before, from which its first is predicted. An
        encoder guesses every token, and reads each stretch within its own special tokens.
        """
        if renderer.both_sides:
            return self._framed(example, renderer)
        ids = renderer.text(cast(TextExample, example).text)
        before = min(self.overlap, self.window // 2) + 1
        parts: list[Encoded] = []
        done = 1
        while done < len(ids) or not parts:
            start = max(0, done - before)
            end = start + self.window
            seen = done - start
            part = ids[start:end]
            parts.append(Encoded(example.id, part, (*(IGNORED,) * seen, *part[seen:])))
            done = end
        return replace(parts[0], others=tuple(parts[1:]))

    def _framed(self, example: Example, renderer: Renderer) -> Encoded:
        before, after = renderer.frame()
        ids = renderer.text(cast(TextExample, example).text)
        ids = ids[len(before) : len(ids) - len(after)]
        size = self.window - len(before) - len(after)
        parts: list[Encoded] = []
        done = 0
        while done < len(ids) or not parts:
            start = max(0, done - min(self.overlap, size // 2))
            part = ids[start : start + size]
            seen = (*(IGNORED,) * (len(before) + done - start), *part[done - start :])
            targets = (*seen, *(IGNORED,) * len(after))
            parts.append(Encoded(example.id, (*before, *part, *after), targets))
            done = start + size
        return replace(parts[0], others=tuple(parts[1:]))

    def length(self, example: Example, renderer: Renderer) -> int:
        return len(renderer.text(cast(TextExample, example).text))

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        return renderer.text(given.text)

    def scorers(self) -> tuple[str, ...]:
        return ("perplexity",)

    def baselines(self) -> tuple[str, ...]:
        return ("base",)
