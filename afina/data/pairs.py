"""From the values of a row to a pair: a query and its text, a history and the item that followed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afina.data.conversation import Empty, RowFault, text_in
from afina.data.rows import Notes
from afina.data.shapes import Shape
from afina.data.values import verdict_in
from afina.types import Example, PairExample

Values = Mapping[str, Any]
ITEM_SEPARATOR = " | "
"""Between the items of a history, in the text that stands for it."""


def query_and_text(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    query, text = (_said(shape, values, part) for part in ("query", "positive"))
    column = shape.columns.get("negative", "")
    given = values.get(column)
    listed = given if isinstance(given, list) else [] if given in (None, "") else [given]
    negatives = tuple(text_in(n, f"column {column}") for n in listed)
    if text in negatives:
        raise RowFault(
            f"column {column}", "the text that belongs to the query stands there too", "remove it"
        )
    if any(not n.strip() for n in negatives):
        raise RowFault(f"column {column}", "an empty text", "remove it")
    return PairExample(query=query, positive=text, negatives=negatives, **place)


def history_and_item(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    part = "history" if "history" in shape.columns else "query"
    column = shape.columns[part]
    asked = values[column]
    query = history_text(asked, f"column {column}")
    item = _said(shape, values, "item")
    if not query.strip():
        raise Empty("empty_input")
    if "clicked" in shape.columns:
        column = shape.columns["clicked"]
        if not verdict_in(values[column], f"column {column}"):
            raise Empty("not_clicked")
    return PairExample(query=query, positive=item, **place)


def history_text(value: object, path: str) -> str:
    """A list of items, or a text, as the text that stands for it."""
    if isinstance(value, list):
        value = ITEM_SEPARATOR.join(text_in(one, path) for one in value)
    return text_in(value, path)


def _said(shape: Shape, values: Values, part: str) -> str:
    text = text_in(values[shape.columns[part]], f"column {shape.columns[part]}")
    if not text.strip():
        raise Empty("empty_input" if part == "query" else "empty_answer")
    return text
