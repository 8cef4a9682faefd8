"""What the tasks share that bring the states of a text to one vector under a new head."""

from __future__ import annotations

from typing import ClassVar, Literal

from afina.types import Example, Head, Renderer, Task


class Pooled(Task):
    """A task whose head looks at one vector a text."""

    pooling: Literal["auto", "first", "mean", "last"] = "auto"
    """How token vectors become one: the first, their mean, or the last. ``auto`` follows the base:
    what its sentence-embedding configuration says, else the first for encoders, the last for
    decoders."""
    head_start: Literal["fitted", "random"] = "fitted"
    """How a new head begins: fitted to the frozen body's vectors (a linear model), or at random."""

    head: ClassVar[Head] = "labels"

    def refuses_other_words(self) -> str:
        return ""

    def length(self, example: Example, renderer: Renderer) -> int:
        return len(self.prompt(self.question(example), renderer))
