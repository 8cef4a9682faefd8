"""What the tasks share whose answer is a text."""

from __future__ import annotations

from pydantic import Field

from afina.types import Task


class Written(Task):
    """A task whose answer is written token by token."""

    max_new_tokens: int | None = Field(None, ge=1, le=131_072)
    """Longest answer in tokens; left out: twice the longest answer of the training data."""
