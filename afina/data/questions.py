"""Questions about texts, and the stretches that answer them: every place is held against the text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afina.data.conversation import Empty, RowFault, text_in
from afina.data.rows import Notes, kind, shown
from afina.types import Example, QuestionExample, Span

_FORMS = (
    '"a text", ["texts"], {"text": […], "answer_start": […]} or [{"text": …, "answer_start": …}]'
)
_YES, _NO = ("true", "1", "yes"), ("false", "0", "no", "")


def question_in(
    columns: Mapping[str, str], values: Mapping[str, Any], notes: Notes, place: Any
) -> Example:
    """The example of a row. Raises RowFault where an answer does not stand where the row says.

    No answer means: the text has none, where the row says so or gives an empty list (as SQuAD 2.0).
    """
    question, context = (
        text_in(values[columns[part]], f"column {columns[part]}")
        for part in ("question", "passage")
    )
    if not question.strip() or not context.strip():
        raise Empty("empty_input")
    column = columns["answers"]
    said = _impossible(values, columns)
    start = values.get(columns.get("start", ""))
    given = _given(values[column], start, column)
    texts = [one for one in given or () if one[1].strip()]
    if texts and len(texts) < len(given or ()):
        notes.add("empty answers beside others were left out", len(given or ()) - len(texts))
    if said and texts:
        raise RowFault(
            f"column {column}",
            f"{shown(texts[0][1])} answers a question that the row calls impossible",
            "remove the answer, or the mark",
        )
    if not texts and not said:
        if said is False:
            raise RowFault(
                f"column {column}",
                "no answer, and the row does not call the question impossible",
                "write the answer, or mark the row as impossible",
            )
        if given is None or given:
            raise Empty("empty_answer")
    spans = tuple(_placed(path, text, at, context, notes) for path, text, at in texts)
    return QuestionExample(question=question, context=context, answers=spans, **place)


def _impossible(values: Mapping[str, Any], columns: Mapping[str, str]) -> bool | None:
    """What the row says of itself; None where it says nothing."""
    value = values.get(columns.get("impossible", ""))
    if value is None:
        return None
    word = str(value).strip().casefold()
    if word not in (*_YES, *_NO):
        column = f"column {columns['impossible']}"
        raise RowFault(column, f"{shown(value)} is neither true nor false", "write true or false")
    return word in _YES


def _given(value: object, start: object, column: str) -> list[tuple[str, str, object]] | None:
    """(path, text, where it begins or None) of each answer; None for a cell without anything."""
    path = f"column {column}"
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return [(path, text_in(value, path), start)]
    if isinstance(value, Mapping):  # as the hub has SQuAD: two lists side by side
        texts, starts = value.get("text"), value.get("answer_start", value.get("start"))
        texts = [texts] if isinstance(texts, str) else texts
        starts = [starts] if isinstance(starts, int) else starts
        if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
            raise RowFault(path, f"{shown(value)} are no answers with their places", _FORMS)
        pairs = zip(texts, starts, strict=True)
        return [
            (f"{column}.text[{i}]", text_in(t, f"{column}.text[{i}]"), s)
            for i, (t, s) in enumerate(pairs)
        ]
    if not isinstance(value, list):
        raise RowFault(path, f"{kind(value)} where answers are expected", _FORMS)
    starts = start if isinstance(start, list) else [start] * len(value)
    if len(starts) != len(value):
        raise RowFault(path, f"{len(value)} answers and {len(starts)} places", "one place each")
    found: list[tuple[str, str, object]] = []
    for i, (one, begin) in enumerate(zip(value, starts, strict=True)):
        at = f"{column}[{i}]"
        if isinstance(one, Mapping):
            begin = one.get("answer_start", one.get("start"))
            found.append((at, text_in(one.get("text"), at), begin))
        else:
            found.append((at, text_in(one, at), begin))
    return found


def _placed(path: str, text: str, start: object, context: str, notes: Notes) -> Span:
    """The stretch of the text; without outer spaces. A place that is not given is looked up."""
    if isinstance(start, str) and start.strip().isdecimal():  # a table's cell
        start = int(start)
    if start is None or start == "":
        count = context.count(text)
        if count != 1:
            raise RowFault(
                path,
                f"{shown(text)} stands {count} times in the text" if count
                else f"{shown(text)} does not stand in the text",
                "say at which character it begins (column start)" if count
                else "write the answer as the text has it",
            )  # fmt: skip
        notes.add("answers without a place were found where they stand, once, in the text")
        start = context.find(text)
    if isinstance(start, bool) or not isinstance(start, int):
        raise RowFault(path, f"{shown(start)} is no place in a text", "count characters from 0")
    if not 0 <= start < len(context):
        raise RowFault(
            path,
            f"begins at character {start} of a text of {len(context)}",
            "count characters from 0",
        )
    if context[start : start + len(text)] != text:
        there, found = context[start : start + len(text)], context.find(text)
        raise RowFault(
            path,
            f"{shown(text)} does not stand at character {start}, where the text has {shown(there)}",
            f"it stands at {found}" if found >= 0 else "it stands nowhere in the text",
        )
    begin = start + len(text) - len(text.lstrip())
    inner = text.strip()
    return Span(begin, begin + len(inner), "", inner)
