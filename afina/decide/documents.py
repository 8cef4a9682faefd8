"""How well the documents of a recipe answer its rows: the hit rate of their passages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from afina.data import read
from afina.data.content import content_id
from afina.recipe import Recipe
from afina.retrieval import HitRate, Index, hit_rate
from afina.types import Example, Task


def measure_hits(
    recipe: Recipe, task: Task, rows: Sequence[Example], index: Index
) -> HitRate | None:
    """By the column that names the document (``retrieval.column``), else by the answers' words.

    Raises DataError if the data have no such column.
    """
    assert recipe.retrieval is not None
    column = recipe.retrieval.column
    named = None
    if column is not None:
        known = _named(recipe, column)
        named = [known[_identity(row)] for row in rows]
    return hit_rate(
        index,
        [task.question(row).text for row in rows],
        [task.gold(row).text for row in rows],
        named,
        confidence=recipe.evaluate.confidence,
    )


def _named(recipe: Recipe, column: str) -> dict[str, set[str]]:
    """Row to the documents that its column names, read again from the files."""
    found: dict[str, set[str]] = defaultdict(set)
    data = recipe.data
    for source in (data.train, data.validation):
        if source is None:
            continue
        reading = read(source, data.columns, data.encoding, recipe.shapes, group=column)
        for example in reading.examples:
            found[_identity(example)].add(str(example.group))
    return found


def _identity(row: Example) -> str:
    """The same for a row however it was grouped."""
    return content_id(replace(row, group=None, time=None))
