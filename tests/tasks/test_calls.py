"""Calls of tools and the answers that hold them come to one form."""

from __future__ import annotations

import json
from typing import Any

import pytest

from afina.tasks import Generate, calls
from afina.types import ChatExample, Message


def turn(*wanted: tuple[str, dict[str, Any]], content: str = "") -> Message:
    made = [{"type": "function", "function": {"name": n, "arguments": a}} for n, a in wanted]
    return Message("assistant", content, tool_calls=tuple(made))


def block(name: str, arguments: dict[str, Any]) -> str:
    value = {"name": name, "arguments": arguments}
    return f"<tool_call>\n{json.dumps(value, ensure_ascii=False)}\n</tool_call>"


LIGHT = ("light", {"where": "salón", "level": 3})
DOOR = ("door", {})


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (block(*LIGHT), turn(LIGHT)),
        (block("light", {"level": 3, "where": "salón"}), turn(LIGHT)),
        (f"{block(*LIGHT)}\n{block(*DOOR)}", turn(LIGHT, DOOR)),
        (f"Voy.\n{block(*LIGHT)}\n", turn(LIGHT, content="Voy.")),
        (f"<think>\n\n</think>\n\n{block(*LIGHT)}", turn(LIGHT)),
        ('<tool_call>{"name": "door", "parameters": {}}</tool_call>', turn(DOOR)),
        ("<think>hm</think> Buenas", Message("assistant", "Buenas")),
    ],
)
def test_an_answer_has_the_form_of_the_turn_that_it_equals(answer: str, wanted: Message) -> None:
    assert calls.of_answer(answer) == calls.of_turn(wanted)


@pytest.mark.parametrize(
    "answer",
    [
        block("light", {"where": "cocina", "level": 3}),
        block("lamp", LIGHT[1]),
        f"{block(*LIGHT)}{block(*LIGHT)}",
        f"Voy. {block(*LIGHT)}",
        "",
        "light",
    ],
)
def test_another_answer_has_another_form(answer: str) -> None:
    assert calls.of_answer(answer) != calls.of_turn(turn(LIGHT))


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "<tool_call>{}</tool_call>",
        "<tool_call>[1]</tool_call>",
        '<tool_call>{"name": "a", "arguments": "{}"}</tool_call>',
        '<tool_call>{"name": "a", "arguments": {"x": NaN}}</tool_call>',
        f"<tool_call>oops</tool_call>{block(*LIGHT)}",
        "<tool_call>" + "[" * 100_000 + "</tool_call>",
        '<tool_call>{"name": "a"',
        "<think> never closed",
    ],
)
def test_what_is_no_call_stays_text(text: str) -> None:
    assert calls.of_answer(text) == text


def test_the_right_answer_of_a_turn_with_calls_is_not_empty() -> None:
    row = ChatExample(id="1", where="r", messages=(Message("user", "luz"), turn(LIGHT)))
    task = Generate().resolve([row])
    assert json.loads(task.gold(row).text) == {
        "tool_calls": [{"name": "light", "arguments": {"where": "salón", "level": 3}}]
    }
    assert task.answer == "json"
    mixed = ChatExample(
        id="2", where="r", messages=(Message("user", "hola"), Message("assistant", "Buenas"))
    )
    assert Generate().resolve([row, mixed]).answer == "text"
