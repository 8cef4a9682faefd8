"""Calls of tools as text: the form in which a right answer and a given one are compared.

A thought before the answer (``<think>…</think>``, which some templates write even when it is empty)
is no part of it. A turn with calls is one JSON object, ``{"content": …, "tool_calls": [{"name",
"arguments"}, …]}``, keys in order and the content left out where there is none. What a model wrote
is brought to it from the common form ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``. Ids
of calls do not count.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from afina.types import Message

OPEN, CLOSE = "<tool_call>", "</tool_call>"
_BLOCK = re.compile(f"{OPEN}(.*?){CLOSE}", re.DOTALL)
_THOUGHT = re.compile(r"\A\s*<think>.*?</think>\s*", re.DOTALL)


def of_turn(turn: Message) -> str:
    """A turn in the form that is compared: without calls, its content as ``of_answer`` reads it."""
    if not turn.tool_calls:
        return of_answer(turn.content)
    functions = [call["function"] for call in turn.tool_calls]
    return _text(turn.content, [(f["name"], f["arguments"]) for f in functions])


def of_answer(text: str) -> str:
    """What a model wrote, in the same form. Blocks that are not all calls are left as text."""
    text = _THOUGHT.sub("", text)
    calls = [call_in(inside) for inside in _BLOCK.findall(text)]
    known = [call for call in calls if call is not None]
    return _text(_BLOCK.sub("", text), known) if known and len(known) == len(calls) else text


def call_in(inside: str) -> tuple[str, Mapping[str, Any]] | None:
    """Name and arguments of one block, or None if it is no call."""
    try:
        value = json.loads(inside, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    name, arguments = value.get("name"), value.get("arguments", value.get("parameters", {}))
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None


def _text(content: str, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    value: dict[str, Any] = {"content": content.strip()} if content.strip() else {}
    value["tool_calls"] = [{"name": name, "arguments": arguments} for name, arguments in calls]
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
