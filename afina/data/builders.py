"""From the values of a row to an Example, one function a shape. Faults are RowFaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from afina.data.conversation import (
    Empty,
    RowFault,
    check_conversation,
    check_prompt,
    messages_in,
    sharegpt_in,
    text_in,
    tools_in,
)
from afina.data.pairs import history_and_item, query_and_text
from afina.data.questions import question_in
from afina.data.rows import Notes, kind, shown
from afina.data.shapes import Shape
from afina.data.stretches import annotated_in, spans_in, tagged_in
from afina.data.values import label_in, verdict_in
from afina.types import (
    ChatExample,
    Example,
    JudgedExample,
    LabelledExample,
    Message,
    NumberExample,
    PreferenceExample,
    Span,
    TaggedExample,
    TextExample,
)

Values = Mapping[str, Any]


def build(shape: Shape, values: Values, notes: Notes, **place: Any) -> Example:
    """The example of a row. Raises RowFault or Empty. ``place``: id, where, group, time, fields."""
    example = BUILDERS[shape.name](shape, values, notes, place)
    tests = values.get(shape.columns.get("tests", ""))
    if not isinstance(example, ChatExample) or tests is None:
        return example
    parts = tests if isinstance(tests, list) else [tests]
    return replace(example, tests="\n".join(text_in(t, "column tests") for t in parts).strip())


def _labelled(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    text, second = _texts(shape, values)
    labels = labels_in(values[shape.columns["label"]], f"column {shape.columns['label']}")
    if labels is None:
        raise Empty("empty_answer")
    return LabelledExample(text=text, second=second, labels=labels, **place)


def _numbered(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    text, second = _texts(shape, values)
    number = number_in(values[shape.columns["number"]], f"column {shape.columns['number']}")
    if number is None:
        raise Empty("empty_answer")
    return NumberExample(text=text, second=second, number=number, **place)


def _tagged(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    columns = shape.columns
    spans: tuple[Span, ...] | None
    if "tokens" in columns:
        text, spans = tagged_in(values[columns["tokens"]], values[columns["tags"]], columns)
    elif "spans" in columns:
        text = text_in(values[columns["text"]], f"column {columns['text']}")
        given = values[columns["spans"]]
        path = f"column {columns['spans']}"
        spans = None if given is None else spans_in(given, text, path, notes)
    else:
        text, spans = annotated_in(values, columns["labelled"], columns["annotations"], notes)
    if not text.strip():
        raise Empty("empty_input")
    if spans is None:
        raise Empty("empty_answer")
    return TaggedExample(text=text, spans=spans, **place)


def _texts(shape: Shape, values: Values) -> tuple[str, str | None]:
    """The text, and the other one of a pair. Raises Empty if one of them is."""
    found = [
        text_in(values[shape.columns[part]], f"column {shape.columns[part]}")
        for part in ("text", "text_b")
        if part in shape.columns
    ]
    if not all(text.strip() for text in found):
        raise Empty("empty_input")
    return found[0], found[1] if len(found) > 1 else None


def number_in(value: object, path: str) -> float | None:
    """A finite number, or a text of one; None where there is no answer (null, an empty cell)."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number) or (isinstance(value, str) and "_" in value):
        raise RowFault(
            path, f"{shown(value)} is no number", "write it as 3, 2.5 or 1e-3, with a point"
        )
    return number


def labels_in(value: object, path: str) -> tuple[str, ...] | None:
    """One label, ``a|b``, or a list; None where there is no answer (null, an empty cell).

    A row that is meant to have none of several labels says so with ``[]``, or with a bare ``|``.
    Numbers and true/false become their JSON text; 3.0 is the label 3.
    """
    if value is None:
        return None
    if isinstance(value, list):
        labels = tuple(label_in(item, f"{path}[{i}]") for i, item in enumerate(value))
    else:
        whole = label_in(value, path)
        if not whole:
            return None
        if whole == "|":
            return ()
        labels = tuple(part.strip() for part in whole.split("|"))
    for label in labels:
        if not label:
            raise RowFault(
                path, "an empty label between others", "remove it; none at all is a bare |"
            )
    if len(set(labels)) < len(labels):
        raise RowFault(path, "one label stands twice", "remove one of them")
    return labels


def _raw(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    text = text_in(values[shape.columns["text"]], f"column {shape.columns['text']}")
    if not text.strip():
        raise Empty("empty_input")
    return TextExample(text=text, **place)


# ---------------------------------------------------------------------------- conversations


def _chat(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    column = shape.columns["messages"]
    given = values[column]
    old_names = isinstance(given, list) and given and isinstance(given[0], Mapping)
    if old_names and "from" in given[0] and "role" not in given[0]:
        messages = sharegpt_in(given, column, notes)
    else:
        messages = messages_in(given, column, notes)
    tools = _tools(shape, values)
    if "functions" in shape.columns and values.get(shape.columns["functions"]):
        tools += tools_in(values[shape.columns["functions"]], shape.columns["functions"])
    return _conversation(_with_system(shape, values, messages), tools, column, notes, place)


def _sharegpt(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    column = shape.columns["conversations"]
    given = values[column]
    if isinstance(given, list) and given and isinstance(given[0], Mapping) and "role" in given[0]:
        messages = messages_in(given, column, notes)
    else:
        messages = sharegpt_in(given, column, notes)
    messages = _with_system(shape, values, messages)
    return _conversation(messages, _tools(shape, values), column, notes, place)


def _alpaca(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    column = shape.columns["instruction"]
    asked = _joined(shape, values, column)
    answer = values[shape.columns["completion"]]
    said = text_in(answer, f"column {shape.columns['completion']}")
    turns = (*_history(shape, values), Message("user", asked), Message("assistant", said))
    messages = _with_system(shape, values, turns)
    return _conversation(messages, _tools(shape, values), f"column {column}", notes, place)


def _pair(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    ask, reply = shape.columns["prompt"], shape.columns["completion"]
    before = _turns(values[ask], ask, "user", notes)
    after = _turns(values[reply], reply, "assistant", notes)
    messages = _with_system(shape, values, (*_history(shape, values), *before, *after))
    return _conversation(messages, _tools(shape, values), f"column {ask}", notes, place)


def _judged(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    pair = _pair(shape, values, notes, place)
    assert isinstance(pair, ChatExample)
    turns = pair.messages
    earlier = tuple(replace(m, weight=0) for m in turns[:-1])
    column = shape.columns["good"]
    good = verdict_in(values[column], f"column {column}")
    return JudgedExample(messages=(*earlier, turns[-1]), tools=pair.tools, good=good, **place)


def _source_and_target(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    columns = shape.columns["source"], shape.columns["target"]
    source, target = (text_in(values[column], f"column {column}") for column in columns)
    messages = (Message("user", source), Message("assistant", target))
    return _conversation(messages, (), f"column {columns[0]}", notes, place)


def _turns(value: object, column: str, role: str, notes: Notes) -> tuple[Message, ...]:
    """A text as one turn, or a list of messages."""
    if isinstance(value, list):
        return messages_in(value, column, notes)
    return (Message("user" if role == "user" else "assistant", text_in(value, f"column {column}")),)


def _joined(shape: Shape, values: Values, column: str) -> str:
    """Instruction and its input, on lines of their own (as LLaMA-Factory joins them)."""
    asked = text_in(values[column], f"column {column}")
    given = values.get(shape.columns.get("context", ""))
    if given is None or given == "":
        return asked
    return f"{asked}\n{text_in(given, 'column ' + shape.columns['context'])}"


def _history(shape: Shape, values: Values) -> tuple[Message, ...]:
    column = shape.columns.get("history", "")
    past = values.get(column)
    if past is None or past == "":
        return ()
    if not isinstance(past, list):
        raise RowFault(
            f"column {column}", f"{kind(past)} where a list is expected", "[[question, answer], …]"
        )
    turns: list[Message] = []
    for i, pair in enumerate(past):
        if not isinstance(pair, list) or len(pair) != 2:
            raise RowFault(
                f"{column}[{i}]", "not a pair of question and answer", "[question, answer]"
            )
        turns.append(Message("user", text_in(pair[0], f"{column}[{i}][0]")))
        turns.append(Message("assistant", text_in(pair[1], f"{column}[{i}][1]")))
    return tuple(turns)


def _tools(shape: Shape, values: Values) -> tuple[Mapping[str, Any], ...]:
    column = shape.columns.get("tools", "")
    return tools_in(values.get(column), column)


def _with_system(shape: Shape, values: Values, turns: tuple[Message, ...]) -> tuple[Message, ...]:
    column = shape.columns.get("system", "")
    system = values.get(column)
    if system is None or system == "":
        return turns
    return (Message("system", text_in(system, f"column {column}")), *turns)


def _conversation(
    messages: tuple[Message, ...], tools: Any, path: str, notes: Notes, place: Any
) -> Example:
    check_conversation(messages, path, notes)
    _refuse_empty(messages)
    return ChatExample(messages=messages, tools=tools, **place)


def _refuse_empty(messages: tuple[Message, ...]) -> None:
    for message in messages:
        silent = not message.content.strip() and not message.tool_calls
        if silent and message.role == "assistant" and message.weight:
            raise Empty("empty_answer")
    _refuse_empty_prompt(messages)


def _refuse_empty_prompt(messages: tuple[Message, ...]) -> None:
    if any(not m.content.strip() for m in messages if m.role == "user"):
        raise Empty("empty_input")


# ---------------------------------------------------------------------------- preferences


def _preference(shape: Shape, values: Values, notes: Notes, place: Any) -> Example:
    tools = _tools(shape, values)
    prompt: tuple[Message, ...] = ()
    if "prompt" in shape.columns:
        column = shape.columns["prompt"]
        given = values[column]
        if isinstance(given, Mapping):  # OpenAI: input: {messages, tools}
            prompt = messages_in(given.get("messages"), f"{column}.messages", notes)
            tools = tools or tools_in(given.get("tools"), f"{column}.tools")
        elif isinstance(given, str) and "context" in shape.columns:
            prompt = (Message("user", _joined(shape, values, column)),)
        else:
            prompt = _turns(given, column, "user", notes)
    better = _turns(values[shape.columns["chosen"]], shape.columns["chosen"], "assistant", notes)
    worse = _turns(values[shape.columns["rejected"]], shape.columns["rejected"], "assistant", notes)
    prompt, better, worse = _apart(prompt, better, worse, shape)
    prompt = _with_system(shape, values, prompt)
    path = f"column {shape.columns.get('prompt', shape.columns['chosen'])}"
    check_prompt(prompt, path, notes)
    for name, answer in (("chosen", better), ("rejected", worse)):
        check_conversation((*prompt, *answer), f"column {shape.columns[name]}", notes)
        if any(not m.content.strip() and not m.tool_calls for m in answer):
            raise Empty("empty_answer")
    _refuse_empty_prompt(prompt)
    if better == worse:
        raise RowFault(
            f"column {shape.columns['rejected']}",
            "the better and the worse answer are the same",
            "remove the row, or mend one of them",
        )
    return PreferenceExample(prompt=prompt, chosen=better, rejected=worse, tools=tools, **place)


def _apart(
    prompt: tuple[Message, ...],
    better: tuple[Message, ...],
    worse: tuple[Message, ...],
    shape: Shape,
) -> tuple[tuple[Message, ...], tuple[Message, ...], tuple[Message, ...]]:
    """Prompt and answers apart where the answers are whole conversations that begin with it."""
    shared = 0
    while shared < min(len(better), len(worse)) - 1 and better[shared] == worse[shared]:
        shared += 1
    begin = better[:shared]
    if better[0].role == worse[0].role == "assistant":
        if not prompt:
            raise RowFault(
                f"column {shape.columns['chosen']}",
                "the pair has no prompt",
                "add a column prompt, or give whole conversations",
            )
        return prompt, better, worse
    if prompt and begin[-len(prompt) :] != prompt:
        raise RowFault(
            f"column {shape.columns['chosen']}",
            "the answers do not begin with the row's prompt, or with different ones",
            "answers to one and the same prompt make a pair",
        )
    if not begin:
        raise RowFault(
            f"column {shape.columns['chosen']}",
            "the two conversations begin with different prompts",
            "answers to one and the same prompt make a pair",
        )
    return begin, better[shared:], worse[shared:]


BUILDERS: dict[str, Callable[[Shape, Values, Notes, Any], Example]] = {
    "preference": _preference,
    "messages": _chat,
    "sharegpt": _sharegpt,
    "alpaca": _alpaca,
    "prompt and completion": _pair,
    "judged answers": _judged,
    "pair of texts and label": _labelled,
    "text and label": _labelled,
    "pair of texts and number": _numbered,
    "text and number": _numbered,
    "source and target": _source_and_target,
    "tokens and tags": _tagged,
    "text and spans": _tagged,
    "annotated texts of Label Studio": _tagged,
    "question about a text": lambda shape, *row: question_in(shape.columns, *row),
    "query and text": query_and_text,
    "history and item": history_and_item,
    "query and item": history_and_item,
    "raw text": _raw,
}
