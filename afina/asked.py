"""What a user may ask a model, as Inputs: texts, conversations, rows of the shapes of the data.

Answers in a row (a completion, a label, a last assistant turn) are left aside: a model that is
asked must not see them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from afina.errors import DataError, nearest
from afina.recipe import Columns
from afina.types import Input, Message, Role

Asked = str | Input | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Sequence[Message]
"""A text, an Input, a row such as ``{"prompt": …}`` or ``{"messages": […]}``, or a conversation."""

ROLES: tuple[str, ...] = get_args(Role)
TEXT_COLUMNS = ("text", "prompt", "question", "instruction", "input", "query", "sentence")
"""Columns that hold the question, in the order in which they are looked for."""
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant"}
"""ShareGPT's names of the roles."""


def as_inputs(asked: Sequence[Asked], columns: Columns | None = None) -> list[Input]:
    """One Input for each. ``columns``: those of the recipe, where rows have their own names.

    Raises DataError that names the number of the one that cannot be asked.
    """
    if isinstance(asked, str):
        raise DataError(
            "one text where a list of them is expected", where="predict", do="predict([text])"
        )
    return [as_input(value, f"input {number}", columns) for number, value in enumerate(asked, 1)]


def as_input(value: Asked, where: str, columns: Columns | None = None) -> Input:
    """One question. ``where`` names it in errors. Raises DataError."""
    if isinstance(value, Input):
        return value
    if isinstance(value, str):
        return _text(value, where)
    if isinstance(value, Mapping):
        return _row(value, where, columns or Columns())
    if isinstance(value, Sequence):
        return Input(_without_answer(_messages(value, where), where))
    raise DataError(
        f"{type(value).__name__} cannot be asked",
        where=where,
        do="give a text, a list of {role, content}, or a row with the columns of the data",
    )


def _text(text: str, where: str) -> Input:
    if not text.strip():
        raise DataError("the text is empty", where=where, do="leave the row out, or fill it")
    return Input((Message("user", text),))


def _row(row: Mapping[str, Any], where: str, columns: Columns) -> Input:
    tools = tuple(row.get("tools") or ())
    turns = row.get(columns.messages or "messages")
    if turns is not None:
        return Input(_without_answer(_messages(turns, where), where), tools)
    if row.get("conversations") is not None:
        turns = [_of_sharegpt(turn, where) for turn in row["conversations"]]
        head = [Message("system", str(row["system"]))] if row.get("system") else []
        return Input(_without_answer([*head, *turns], where), tools)
    names = [n for n in (columns.text, columns.prompt) if n] or list(TEXT_COLUMNS)
    found = [name for name in names if row.get(name) not in (None, "")]
    if not found:
        raise DataError(
            f"no column to ask among: {', '.join(map(str, row)) or 'none'}",
            where=where,
            do="name one " + " or ".join((columns.messages or "messages", *names[:4])),
        )
    value = row[found[0]]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return Input(_without_answer(_messages(value, where), where), tools)
    if not isinstance(value, str):
        raise DataError(
            f"{type(value).__name__} where a text is expected",
            where=f"{where}, column {found[0]}",
            do="put a text there",
        )
    if found[0] == "instruction" and isinstance(row.get("input"), str) and row["input"].strip():
        value = f"{value}\n\n{row['input']}"
    head = (Message("system", str(row["system"])),) if row.get("system") else ()
    return Input((*head, *_text(value, f"{where}, column {found[0]}").messages), tools)


def _messages(turns: Any, where: str) -> list[Message]:
    if isinstance(turns, str):
        try:
            turns = json.loads(turns)  # a CSV holds a conversation as JSON
        except ValueError:
            turns = None
    if not isinstance(turns, Sequence) or isinstance(turns, str) or not turns:
        raise DataError(
            "messages is not a list of turns", where=where, do="write [{role: user, content: …}]"
        )
    return [
        turn if isinstance(turn, Message) else _message(turn, f"{where}, message {number}")
        for number, turn in enumerate(turns, 1)
    ]


def _message(turn: Any, where: str) -> Message:
    if not isinstance(turn, Mapping):
        raise DataError(
            f"{type(turn).__name__} where a turn is expected",
            where=where,
            do="write {role: user, content: …}",
        )
    role = "system" if turn.get("role") == "developer" else turn.get("role")
    if role not in ROLES:
        raise DataError(f"no role is called {role!r}", where=where, do=nearest(str(role), ROLES))
    content = turn.get("content")
    calls = tuple(turn.get("tool_calls") or ())
    if content is None and calls:
        content = ""
    if not isinstance(content, str):
        raise DataError(
            f"content is {type(content).__name__}, not a text",
            where=where,
            do="these models take text only",
        )
    return Message(
        role,
        content,
        name=turn.get("name"),
        tool_calls=calls,
        tool_call_id=turn.get("tool_call_id"),
    )


def _of_sharegpt(turn: Any, where: str) -> Message:
    speaker = turn.get("from") if isinstance(turn, Mapping) else None
    role = SPEAKERS.get(str(speaker), str(speaker))
    return _message({"role": role, "content": dict(turn or {}).get("value")}, where)


def _without_answer(turns: Sequence[Message], where: str) -> tuple[Message, ...]:
    kept = turns[:-1] if turns and turns[-1].role == "assistant" else turns
    if not kept:
        raise DataError("nobody asks anything here", where=where, do="add a turn of the user")
    return tuple(kept)
