"""Continued pre-training: the loss of every token of raw text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

from pydantic import Field

from afina.types import (
    IGNORED,
    Batch,
    Encoded,
    Example,
    Loss,
    Network,
    Objective,
    Task,
    TextExample,
)


class Continue(Objective):
    """Go on with the pre-training on texts of a field (Gururangan et al. 2020, arXiv 2004.10964): the
    cross-entropy of each token with the text before it, a mean over tokens; for an encoder that of the
    tokens that are hidden from it. For task: text."""

    name: Literal["continue"] = "continue"
    masked: float | None = Field(None, gt=0.0, le=0.5)
    """Share of the tokens that is hidden, anew in every epoch (encoders only); left out: 0.15."""
    whole_words: bool = False
    """Hide all tokens of a word together (encoders only)."""

    needs: ClassVar[tuple[type[Example], ...]] = (TextExample,)

    def refuses(self, task: Task) -> str:
        if task.name == "text":
            return ""
        return f"objective continue learns raw text, not a {task.name} task: take task: text"

    def arrange(self, rows: Sequence[Encoded]) -> tuple[Encoded, ...]:
        """Each stretch of a text is a row of its own, so that long texts fit into a batch."""
        return tuple(replace(s, others=()) for row in rows for s in row.sequences)

    def weight(self, batch: Batch) -> float:
        return float((batch.targets[:, 1:] != IGNORED).sum())

    def loss(self, network: Network, batch: Batch) -> Loss:
        return Loss(-network.token_logprobs(batch).sum(), self.weight(batch))
