"""Calls of tools are found however the answer is cut into pieces."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.serve.tool_calls import ToolCall, ToolCallReader
from afina.tasks.json_schema import Schema

CALL = '<tool_call>\n{"name": "light", "arguments": {"where": "salón"}}\n</tool_call>'
Parts = list[str | tuple[str, str]]


def _read(pieces: list[str], strict: dict[str, Schema] | None = None) -> Parts:
    """Text joined, calls as (name, arguments), in order."""
    reader = ToolCallReader(frozenset({"light", "door"}), strict or {})
    found = [part for piece in pieces for part in reader.feed(piece)] + list(reader.close())
    parts: Parts = []
    for part in found:
        if isinstance(part, ToolCall):
            parts.append((part.name, part.arguments))
        elif parts and isinstance(parts[-1], str):
            parts[-1] += part
        else:
            parts.append(part)
    return parts


LIGHT = ("light", '{"where": "salón"}')


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        ("no call at all ", ["no call at all "]),
        (CALL, [LIGHT]),
        (f"I do it.\n{CALL}\n", ["I do it.", LIGHT]),
        (f"{CALL}\n{CALL}", [LIGHT, LIGHT]),
        (f"a {CALL} b {CALL} c", ["a", LIGHT, "b", LIGHT, "c"]),
        ('<tool_call>{"name": "door"}</tool_call>', [("door", "{}")]),
        ('<tool_call>{"name": "door", "parameters": {"n": 1}}</tool_call>', [("door", '{"n": 1}')]),
        ("a < b and <tool> <tool_cal", ["a < b and <tool> <tool_cal"]),
        (f"{CALL} <tool_call>" + '{"name": "li', [LIGHT, '<tool_call>{"name": "li']),
    ],
)
def test_answers(answer: str, parts: Parts) -> None:
    assert _read([answer]) == parts
    assert _read(list(answer)) == parts


@pytest.mark.parametrize(
    "inside",
    [
        "not json",
        '["light"]',
        '{"name": "bomb", "arguments": {}}',
        '{"name": "light", "arguments": "{}"}',
        '{"name": ["light"], "arguments": {}}',
        '{"arguments": {}}',
        '{"name": "light", "arguments": {"x": NaN}}',
        '{"name": "light", "arguments": {"x": "\\ud800"}}',
        '{"name": "light", "arguments": {"x": ' + "[" * 200 + "]" * 200 + "}}",
    ],
)
def test_what_is_no_call_stays_text(inside: str) -> None:
    block = f"<tool_call>{inside}</tool_call>"
    assert _read([f"a {block} b"]) == [f"a {block} b"]


def test_strict_arguments_must_fit() -> None:
    strict = {
        "light": Schema({"required": ["where"], "properties": {"where": {"enum": ["salón"]}}})
    }
    assert _read([CALL], strict) == [LIGHT]
    other = CALL.replace("salón", "cocina")
    assert _read([other], strict) == [other]


def test_ids_differ_and_text_is_not_held_back_without_reason() -> None:
    reader = ToolCallReader(frozenset({"light"}), {})
    assert list(reader.feed("Claro, ")) == ["Claro,"]
    assert list(reader.feed("voy.")) == [" voy."]
    calls = [part for part in reader.feed(CALL * 2) if isinstance(part, ToolCall)]
    assert len({call.id for call in calls}) == 2
    assert json.loads(calls[0].as_json()["function"]["arguments"]) == {"where": "salón"}


ANSWERS = st.lists(
    st.sampled_from([CALL, "<tool_call>", "</tool_call>", "<", " ", "\n", "hola", "<tool_", "{}"]),
    max_size=8,
).map("".join)


@given(ANSWERS, st.data())
def test_the_cut_of_the_pieces_changes_nothing(answer: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=6)))
    edges = [0, *cuts, len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(edges)]
    assert _read(pieces) == _read([answer])
    if CALL not in answer:
        assert "".join(str(p) for p in _read([answer])) == answer
