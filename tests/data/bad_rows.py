"""Rows that cannot be used: content, and what the error must say."""

from __future__ import annotations

import json
from typing import Any

from afina.types import ChatExample, LabelledExample, PreferenceExample

CHAT = (ChatExample,)
LABELLED = (LabelledExample,)
PAIRS = (PreferenceExample,)
GOOD = '{"prompt": "hi", "completion": "ho"}\n'
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


def line(**values: Any) -> str:
    return json.dumps(values, ensure_ascii=False) + "\n"


def chat(*turns: dict[str, Any], **row: Any) -> str:
    return line(messages=list(turns), **row)


def user(content: Any = "hi", **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any = "ho", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def call(arguments: Any) -> dict[str, Any]:
    function = {"name": "weather", "arguments": arguments}
    return {"id": "c1", "type": "function", "function": function}


Case = tuple[str, str | bytes, tuple[type[Any], ...], str, str]
"""Name of the file, content, accepted examples, part of where, part of what (or of do)."""

ROW_CASES: dict[str, Case] = {
    "D18 mixed": ("a.jsonl", GOOD + chat(*TURNS), CHAT, "a.jsonl: row 2", "shapes are mixed"),
    "D18 message": ("a.jsonl", line(message=TURNS), CHAT, "row 1", "message"),
    "D18 missing": (
        "a.jsonl",
        GOOD + line(prompt="a", complettion="b"),
        CHAT,
        "row 2, column completion",
        "missing",
    ),
    "D18 not accepted": ("a.jsonl", GOOD, LABELLED, "row 1", "prompt and completion"),
    "D18 labels for a chat": (
        "a.csv",
        "text,label\na,b\n",
        CHAT,
        "a.csv: row 1 (line 2)",
        "text and label",
    ),
    "D19 number": (
        "a.jsonl",
        GOOD + line(prompt=3, completion="b"),
        CHAT,
        "row 2, column prompt",
        "a number",
    ),
    "D19 null": (
        "a.jsonl",
        GOOD + line(prompt="a", completion=None),
        CHAT,
        "row 2, column completion",
        "null",
    ),
    "D19 in a turn": (
        "a.jsonl",
        chat(user(), assistant(7)),
        CHAT,
        "row 1, messages[1].content",
        "a number",
    ),
    "D19 label": (
        "a.jsonl",
        line(text="a", label={"b": 1}),
        LABELLED,
        "row 1, column label",
        "an object",
    ),
    "D19 turns": ("a.jsonl", line(messages="hi"), CHAT, "row 1, messages", "a text where a list"),
    "D20 no turns": ("a.jsonl", chat(), CHAT, "row 1, messages", "no messages"),
    "D20 no assistant": ("a.jsonl", chat(user()), CHAT, "row 1, messages", "no assistant turn"),
    "D20 no user": ("a.jsonl", chat(assistant()), CHAT, "row 1, messages", "no user turn"),
    "D21 user last": (
        "a.jsonl",
        chat(user(), assistant(), user()),
        CHAT,
        "row 1, messages[2]",
        "last turn is 'user'",
    ),
    "D22 all empty": (
        "a.jsonl",
        line(prompt="a", completion="  "),
        CHAT,
        "data.train",
        "0 rows are left",
    ),
    "D23 bot": (
        "a.jsonl",
        chat(user(), {"role": "bot", "content": "a"}),
        CHAT,
        "messages[1].role",
        "'bot'",
    ),
    "D23 human": (
        "a.jsonl",
        chat({"role": "human", "content": "a"}),
        CHAT,
        "messages[0].role",
        "'human'",
    ),
    "D23 space": (
        "a.jsonl",
        chat({"role": "System ", "content": "a"}),
        CHAT,
        "messages[0].role",
        "'System '",
    ),
    "D23 sharegpt": (
        "a.jsonl",
        line(conversations=[{"from": "humn", "value": "a"}]),
        CHAT,
        "conversations[0].from",
        "'humn'",
    ),
    "D24 two systems": (
        "a.jsonl",
        chat({"role": "system", "content": "a"}, {"role": "system", "content": "b"}, *TURNS),
        CHAT,
        "messages[1]",
        "second system",
    ),
    "D24 system in the middle": (
        "a.jsonl",
        chat(user(), {"role": "system", "content": "b"}, assistant()),
        CHAT,
        "messages[1]",
        "not the first",
    ),
    "D25 null": ("a.jsonl", chat(user(), assistant(None)), CHAT, "messages[1].content", "null"),
    "D25 result without call": (
        "a.jsonl",
        chat(user(), {"role": "tool", "content": "7"}, assistant()),
        CHAT,
        "messages[1]",
        "without a tool call",
    ),
    "D25 other call": (
        "a.jsonl",
        chat(
            user(),
            assistant(None, tool_calls=[call("{}")]),
            {"role": "tool", "content": "7", "tool_call_id": "c2"},
            assistant(),
        ),
        CHAT,
        "messages[2].tool_call_id",
        "'c2'",
    ),
    "D25 arguments": (
        "a.jsonl",
        chat(user(), assistant(None, tool_calls=[call("{city: Lima}")])),
        CHAT,
        "messages[1].tool_calls[0].function.arguments",
        "not JSON",
    ),
    "D25 arguments a list": (
        "a.jsonl",
        chat(user(), assistant(None, tool_calls=[call("[1]")])),
        CHAT,
        "arguments",
        "a list where an object",
    ),
    "D26 image": (
        "a.jsonl",
        chat(user([{"type": "image_url", "image_url": {"url": "http://x"}}]), assistant()),
        CHAT,
        "messages[0].content[0]",
        "takes text only",
    ),
    "weight 2": (
        "a.jsonl",
        chat(user(), assistant(weight=2)),
        CHAT,
        "messages[1].weight",
        "2 is no weight",
    ),
    "weight of a user": (
        "a.jsonl",
        chat(user(weight=0), assistant()),
        CHAT,
        "messages[0].weight",
        "user",
    ),
    "no weight at all": (
        "a.jsonl",
        chat(user(), assistant(weight=0)),
        CHAT,
        "messages",
        "weight 0",
    ),
    "no role": ("a.jsonl", chat({"content": "a"}), CHAT, "messages[0]", "no role"),
    "no content": ("a.jsonl", chat({"role": "user"}), CHAT, "messages[0].content", "no content"),
    "tools": ("a.jsonl", chat(*TURNS, tools=[{"type": "function"}]), CHAT, "tools[0]", "no name"),
    "history": (
        "a.jsonl",
        line(instruction="a", input="", output="b", history=[["q"]]),
        CHAT,
        "history[0]",
        "pair",
    ),
    "D34 same": (
        "a.jsonl",
        line(prompt="a", chosen="b", rejected="b"),
        PAIRS,
        "column rejected",
        "the same",
    ),
    "D34 missing": (
        "a.jsonl",
        line(prompt="a", chosen="b", rejected="c") + line(prompt="a", chosen="b"),
        PAIRS,
        "row 2, column rejected",
        "missing",
    ),
    "D34 no prompt": (
        "a.jsonl",
        line(chosen="b", rejected="c"),
        PAIRS,
        "row 1, column chosen",
        "no prompt",
    ),
    "D34 prompts": (
        "a.jsonl",
        line(chosen=[user("a"), assistant()], rejected=[user("b"), assistant("x")]),
        PAIRS,
        "row 1, column chosen",
        "different prompts",
    ),
}
