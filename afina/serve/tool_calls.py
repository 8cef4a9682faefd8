"""Finds the calls of tools in an answer while it arrives.

The common form is read: ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``. A block counts as
a call only if it is JSON of that form, names a tool that was offered and, where that tool is
``strict``, its arguments fit its schema; every other block stays the text that it is.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from afina.serve.body import parse
from afina.serve.failure import ApiError
from afina.tasks.calls import CLOSE, OPEN
from afina.tasks.json_schema import Schema


@dataclass(frozen=True)
class ToolCall:
    """A call: ``arguments`` is JSON in a string, as the OpenAI API has it."""

    id: str
    name: str
    arguments: str

    def as_json(self) -> dict[str, Any]:
        """The form of a finished message."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


class ToolCallReader:
    """Takes an answer's text bit by bit and gives it back as text and calls, in order.

    Text that may be the beginning of a call is held back until that is decided, and so is white
    space, which is dropped beside a call. ``strict`` holds the schemas of the tools that want their
    arguments checked; all of ``offered`` are the names that may be called.
    """

    def __init__(self, offered: frozenset[str], strict: Mapping[str, Schema]) -> None:
        self.offered = offered
        self.strict = strict
        self.calls = 0
        self._held = ""
        self._after_call = False

    def feed(self, text: str) -> Iterator[str | ToolCall]:
        """What is certain after this bit."""
        self._held += text
        while True:
            begin = self._held.find(OPEN)
            if begin < 0:
                sure = self._sure()
                yield from self._text(self._held[:sure])
                self._held = self._held[sure:]
                return
            end = self._held.find(CLOSE, begin)
            if end < 0:
                yield from self._text(self._held[:begin].rstrip())
                # The white space before an open block waits with it.
                self._held = self._held[len(self._held[:begin].rstrip()) :]
                return
            call = self._call(self._held[begin + len(OPEN) : end])
            until = end + len(CLOSE)
            if call is None:
                yield from self._text(self._held[:until])
            else:
                yield from self._text(self._held[:begin].rstrip())
                self.calls += 1
                self._after_call = True
                yield call
            self._held = self._held[until:]

    def close(self) -> Iterator[str | ToolCall]:
        """What is left at the end: a block that was never closed is text."""
        rest, self._held = self._held, ""
        if self._after_call:
            rest = rest.lstrip()
        if rest:
            yield rest

    def _text(self, text: str) -> Iterator[str]:
        if self._after_call:
            text = text.lstrip()
        if text:
            self._after_call = False
            yield text

    def _sure(self) -> int:
        """How many of the held characters cannot belong to the beginning of a call."""
        held = self._held
        at = held.rfind("<")
        cut = at if at >= 0 and OPEN.startswith(held[at:]) else len(held)
        return len(held[:cut].rstrip())

    def _call(self, inside: str) -> ToolCall | None:
        try:
            value = parse(inside.encode("utf-8", "surrogatepass"), "the call")
        except ApiError:
            return None
        if not isinstance(value, dict):
            return None
        name, arguments = value.get("name"), value.get("arguments", value.get("parameters", {}))
        if not isinstance(name, str) or name not in self.offered or not isinstance(arguments, dict):
            return None
        schema = self.strict.get(name)
        if schema is not None and schema.problem(arguments) is not None:
            return None
        written = json.dumps(arguments, ensure_ascii=False)
        return ToolCall(f"call_{secrets.token_hex(12)}", name, written)
