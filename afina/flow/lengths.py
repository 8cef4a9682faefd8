"""Test rows that are too long, found before training: by their lengths alone, the test stays sealed.

What happens to them follows ``train.on_too_long``: ``error`` refuses those that the base cannot
take, ``drop`` leaves them out of the evaluation, ``truncate`` has the tuned model read them cut, as
in training and as it is served.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from afina.errors import DataError

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.recipe import Recipe
    from afina.types import Example, Task

SHOWN = 20
CUT_ANSWER = 0
"""Stands for the length of a row whose answer would be cut."""


def check_test(
    dataset: Dataset, base: Base, renderer: ChatRenderer, recipe: Recipe
) -> tuple[str, ...]:
    """What the plan says of test rows that are too long.

    Raises DataError, naming up to 20 of them, for those that could not be measured.
    """
    from afina.models.length import shorten
    from afina.models.load import context_of

    train, task, context = recipe.train, dataset.task, context_of(base, recipe.method)
    limit = train.max_length or context

    def length(example: Example) -> int:
        row = task.encode(example, renderer)
        if train.on_too_long == "truncate" and shorten(row, task.head, limit) is None:
            return CUT_ANSWER
        return row.longest

    measured = dataset.test.measure(length)
    beyond = [f"{where}: {n} tokens, {base.name} takes {context}" for where, n in measured
              if n > context]  # fmt: skip
    long = sum(n > limit for _, n in measured)
    if train.on_too_long == "truncate":
        _refuse(
            [
                f"{where}: the answer does not fit into {limit} tokens"
                for where, n in measured
                if n == CUT_ANSWER
            ],
            len(measured),
            "raise train.max_length, or shorten the rows",
        )
        said = (
            "the tuned model reads them cut, as in training; a baseline reads them whole or fails"
        )
    elif train.on_too_long == "drop":
        if beyond and len(beyond) == len(measured):
            _refuse(beyond, len(measured), "take a base with a longer context")
        long = len(beyond)
        limit = context
        said = "they are left out of the evaluation"
    else:
        _refuse(
            beyond,
            len(measured),
            "shorten the rows, take a base with a longer context, or set train.on_too_long to drop "
            "or truncate",
        )
        said = "they are read whole"
    if not long:
        return ()
    return (f"{long:,} of {len(measured):,} test rows are longer than {limit:,} tokens: {said}",)


def _refuse(problems: list[str], rows: int, do: str) -> None:
    if problems:
        raise DataError(
            f"{len(problems)} of {rows} test rows could not be measured",
            where=problems[0],
            problems=problems[1:SHOWN],
            do=do,
        )


def measurable(test: Sequence[Example], task: Task, base: Base, recipe: Recipe) -> list[Example]:
    """The test rows that are measured: with ``drop`` those that the base can take, else all."""
    from afina.models.load import context_of, load_renderer

    if recipe.train.on_too_long != "drop":
        return list(test)
    renderer, context = load_renderer(base), context_of(base, recipe.method)
    return [e for e in test if task.encode(e, renderer).longest <= context]
