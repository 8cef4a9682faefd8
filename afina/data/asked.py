"""What a user may ask a model, as Inputs: texts, conversations, rows of the shapes of the data.

Answers in a row (a completion, a label, a last assistant turn) are left aside: a model that is
asked must not see them. Where an answer is what is to be judged, it is part of the question.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from afina.data.conversation import RowFault, messages_in, sharegpt_in, text_in, tools_in
from afina.data.formats import Wanted, rows_of
from afina.data.jsonrows import StrictError, parse_all
from afina.data.lines import lines
from afina.data.pairs import history_text
from afina.data.rows import Notes, Problem, Row, file_and_row, flat, kind, place
from afina.data.shapes import PARTS, same_name
from afina.data.sources import HubSource, find, opened
from afina.errors import DataError
from afina.recipe import Columns
from afina.types import Input, Message

Asked = str | Input | Mapping[str, Any] | Sequence[Mapping[str, Any]] | Sequence[Message]
"""A text, an Input, a row such as ``{"prompt": …}`` or ``{"messages": […]}``, or a conversation."""

TEXT_FILES = (".txt", ".text", ".md")


def as_inputs(
    asked: Sequence[Asked], columns: Columns | None = None, *, answered: bool = False
) -> list[Input]:
    """One Input for each. ``columns``: those of the recipe, where rows have their own names;
    ``answered``: for a model that judges answers.

    Raises DataError that names the number of the one that cannot be asked.
    """
    if isinstance(asked, str):
        raise DataError(
            "one text where a list of them is expected", where="predict", do="predict([text])"
        )
    return [
        as_input(value, f"input {number}", columns, answered=answered)
        for number, value in enumerate(asked, 1)
    ]


def as_input(
    value: Asked, where: str, columns: Columns | None = None, *, answered: bool = False
) -> Input:
    """One question, with its answer where that is to be judged. ``where`` names it in errors. Raises
    DataError."""
    if isinstance(value, Input):
        return value
    try:
        if answered:
            return _judged(value, columns or Columns())
        if isinstance(value, str):
            return Input((_user(value, "the text"),))
        if isinstance(value, Mapping):
            return _row(value, columns or Columns())
        if isinstance(value, Sequence):
            return Input(_open_ended(_turns(value, "messages"), "messages"))
    except RowFault as fault:
        at = f"{where}: {fault.path}" if fault.path else where
        raise DataError(fault.what, where=at, do=fault.do or "mend it, or leave it out") from None
    raise DataError(
        f"{type(value).__name__} cannot be asked",
        where=where,
        do="give a text, a list of {role, content}, or a row with the columns of the data",
    )


def _judged(value: Asked, columns: Columns) -> Input:
    """A conversation with the answer that it ends in, or a question with its answer beside it."""
    row: Mapping[str, Any] = flat(value) if isinstance(value, Mapping) else {}
    turns: tuple[Message, ...] = ()
    for part in ("messages", "conversations"):
        column = _column(row, part, columns)
        if column is not None and not turns:
            turns = _with_system(row, _turns(row[column], column))
    answer = _column(row, "completion", columns)
    if not row and not isinstance(value, str):
        turns = _turns(value, "messages")
    elif not turns and answer is not None:
        said = row[answer]
        said = [{"role": "assistant", "content": said}] if isinstance(said, str) else said
        turns = (*_row(row, columns).messages, *_turns(said, f"column {answer}"))
    if not turns or turns[-1].role != "assistant":
        raise RowFault(
            "", "there is no answer to judge", "give prompt and completion, or messages up to it"
        )
    return Input(turns, tools_in(_value(row, "tools", None), "tools"))


def _row(row: Mapping[str, Any], columns: Columns) -> Input:
    row = flat(row)
    tools = tools_in(_value(row, "tools", None), "tools")
    for part in ("messages", "conversations"):
        column = _column(row, part, columns)
        if column is not None:
            turns = _turns(row[column], column)
            return Input(_with_system(row, _open_ended(turns, column)), tools)
    tokens = _column(row, "tokens", columns)
    if tokens is not None and isinstance(row[tokens], list) and row[tokens]:
        cut = [text_in(word, f"{tokens}[{i}]") for i, word in enumerate(row[tokens])]
        return Input((_user(" ".join(cut), f"column {tokens}"),))
    history = _column(row, "history", columns)
    if history is not None:
        return Input((_user(history_text(row[history], f"column {history}"), f"column {history}"),))
    usual = ("query", "question", "prompt", "text", "source")
    parts = sorted(usual, key=lambda part: getattr(columns, part) is None)
    column = next((c for part in parts if (c := _column(row, part, columns)) is not None), None)
    if column is None:
        raise RowFault(
            "",
            f"no column to ask among: {', '.join(map(str, row)) or 'none'}",
            "name one text, prompt or messages; or as data.columns of the recipe says",
        )
    value = row[column]
    if isinstance(value, list):
        return Input(_with_system(row, _open_ended(_turns(value, column), column)), tools)
    turn = _user(value, f"column {column}")
    passage = _column(row, "passage", columns)
    if passage is not None and _column(row, "question", columns) == column:
        # A text beside a question: who finds answers reads it, the others do as before.
        return replace(
            _text_of(row, column, turn, columns, tools),
            context=text_in(row[passage], f"column {passage}"),
        )
    return _text_of(row, column, turn, columns, tools)


def _text_of(
    row: Mapping[str, Any], column: str, turn: Message, columns: Columns, tools: Any
) -> Input:
    """A row whose question is one text, with what stands beside it."""
    other = _column(row, "text_b", columns)
    if other is not None and _column(row, "text", columns) == column:
        return Input((turn,), second=_user(row[other], f"column {other}").content)
    context = _column(row, "context", columns)
    if same_name(column) in PARTS["instruction"] and context and row[context] not in (None, ""):
        # Instruction and its input stand on lines of their own, as they are trained.
        given = text_in(row[context], f"column {context}")
        turn = Message("user", f"{turn.content}\n{given}")
    return Input(_with_system(row, (turn,)), tools)


def _column(row: Mapping[str, Any], part: str, columns: Columns) -> str | None:
    """The column that plays a part: the recipe's, else the first usual name that the row has."""
    stated = getattr(columns, part, None)
    if stated is not None:
        return stated if stated in row else None
    found = {same_name(str(key)): str(key) for key in row if row[key] is not None}
    return next((found[name] for name in PARTS[part] if name in found), None)


def _value(row: Mapping[str, Any], name: str, default: Any) -> Any:
    return next((row[key] for key in row if same_name(str(key)) == name), default)


def _with_system(row: Mapping[str, Any], turns: tuple[Message, ...]) -> tuple[Message, ...]:
    system = _value(row, "system", None)
    if system is None or system == "":
        return turns
    return (Message("system", text_in(system, "column system")), *turns)


def _turns(value: Any, path: str) -> tuple[Message, ...]:
    if isinstance(value, Sequence) and not isinstance(value, str | list):
        value = list(value)
    if isinstance(value, list) and value and all(isinstance(turn, Message) for turn in value):
        return tuple(value)
    if isinstance(value, list) and value and isinstance(value[0], Mapping):
        if "from" in value[0] and "role" not in value[0]:
            return sharegpt_in(value, path, Notes())
        return messages_in(value, path, Notes())
    raise RowFault(path, f"{kind(value)} where a list of turns is expected", "[{role, content}]")


def _user(value: Any, path: str) -> Message:
    text = text_in(value, path)
    if not text.strip():
        raise RowFault(path, "the text is empty", "fill it, or leave the row out")
    return Message("user", text)


def _open_ended(turns: tuple[Message, ...], path: str) -> tuple[Message, ...]:
    """The conversation up to the answer that is asked for."""
    kept = turns[:-1] if turns[-1].role == "assistant" else turns
    if not any(turn.role == "user" for turn in kept):
        raise RowFault(path, "nobody asks anything here", "add a turn of the user")
    return kept


# ---------------------------------------------------------------------------- questions in files


def read_asked(
    source: str,
    columns: Columns | None = None,
    encoding: str | None = None,
    *,
    answered: bool = False,
) -> Iterator[tuple[int, Input]]:
    """Row number and Input of each question of a file, in order. A ``.txt`` holds one a line.

    Raises DataError that names the row; nothing is left out but blank lines.
    """
    found = find(source)
    if isinstance(found, HubSource):
        raise DataError(
            "there is no such file", where=source, do="name a file of questions, or - for a pipe"
        )
    wanted = Wanted(columns=columns or Columns())
    for file in found:
        name = file.path.name
        if file.suffix in TEXT_FILES:
            rows: Iterable[Row | Problem] = _text_lines(file.path, name, encoding)
        else:
            rows = rows_of(file, name, encoding, wanted, Notes())
        for number, row in enumerate(rows, 1):
            if isinstance(row, Problem):
                raise DataError(row.what, where=row.where, do=row.do)
            asked: Asked = row.values if file.suffix not in TEXT_FILES else row.values["text"]
            given = as_input(asked, row.where, columns, answered=answered)
            yield file_and_row(row.where)[1] or number, given


def asked_in_lines(
    text: Iterable[str],
    columns: Columns | None = None,
    name: str = "-",
    *,
    answered: bool = False,
) -> Iterator[tuple[int, Input]]:
    """Row number and Input of each line of a pipe: a JSON object or list, else the text itself."""
    for number, line in enumerate(text, 1):
        stripped = line.strip()
        if not stripped:
            continue
        value: Asked = stripped
        if stripped[0] in "{[":
            try:
                value = parse_all(stripped)
            except StrictError as error:
                raise DataError(
                    f"not JSON: {error.what}",
                    where=place(name, number),
                    do=error.do
                    or "mend the line; a text that begins with a bracket is written "
                    'as {"text": "…"}',
                ) from None
        yield number, as_input(value, place(name, number), columns, answered=answered)


def _text_lines(path: Path, name: str, encoding: str | None) -> Iterator[Row]:
    with opened(path, name) as stream:
        for number, line in lines(stream, name, encoding, Notes()):
            if line.strip():
                yield Row({"text": line.strip()}, place(name, number))
