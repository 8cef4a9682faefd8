"""Formats that are checked after the answer, and tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from afina.types import Input
from tests.serve.conftest import user
from tests.serve.fake import FakeModel
from tests.serve.wire import send

CHAT = "/v1/chat/completions"
OBJECT = {"type": "json_object"}
TOOLS: list[Any] = [
    {
        "type": "function",
        # Not the order of our own fields: a template writes tools out as they came.
        "function": {
            "parameters": {"type": "object", "properties": {"where": {"type": "string"}}},
            "name": "light",
            "description": "Turns a light on.",
        },
    }
]
CALL = '<tool_call>{"name": "light", "arguments": {"where": "salón"}}</tool_call>'


def _chat(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "soporte", "messages": user(text), **fields}


def _events(body: bytes) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in body.decode().split("\n\n") if line]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize("stream", [False, True])
def test_json_that_fits_is_sent(url: str, stream: bool) -> None:
    reply = send(url, "POST", CHAT, _chat('{"a": [1]}', response_format=OBJECT, stream=stream))
    assert reply.status == 200
    if stream:
        bits = [e["choices"][0]["delta"].get("content", "") for e in _events(reply.body)]
        assert bits == ["", '{"a":', " [1]}", ""]
    else:
        assert reply.json["choices"][0]["message"]["content"] == '{"a": [1]}'


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("text", "fields", "words"),
    [
        ("NEVER JSON", {}, "the answer is not JSON"),
        ("[1]", {}, "is no JSON object"),
        ('{"a": NaN}', {}, "must be a finite number"),
        ('{"a": 1} x', {}, "the answer is not JSON"),
    ],
)
def test_json_that_does_not_fit_is_an_error_before_anything_is_sent(
    url: str, model: FakeModel, text: str, fields: dict[str, Any], words: str, stream: bool
) -> None:
    asked = len(model.asked)
    body = _chat(text, response_format=OBJECT, stream=stream, **fields)
    reply = send(url, "POST", CHAT, body)
    assert (reply.status, reply.error["code"]) == (422, "invalid_json_output")
    assert words in reply.error["message"]
    # Greedy once: the same again would be the same again.
    assert len(model.asked) == asked + 1


def test_an_answer_by_chance_gets_one_greedy_try(url: str, model: FakeModel) -> None:
    asked = len(model.asked)
    body = _chat("JSON WHEN GREEDY", response_format=OBJECT, temperature=0.8, seed=3)
    reply = send(url, "POST", CHAT, body)
    assert reply.json["choices"][0]["message"]["content"] == '{"a": 1}'
    assert [s.temperature for _, s in model.asked[asked:]] == [0.8, 0.0]
    # One token of the discarded try and two of the one that was sent.
    assert reply.json["usage"]["completion_tokens"] == 3
    never = send(url, "POST", CHAT, _chat("NEVER JSON", response_format=OBJECT, temperature=0.8))
    assert never.status == 422
    assert len(model.asked) == asked + 4


def test_an_answer_that_was_cut_off_says_so(url: str) -> None:
    reply = send(url, "POST", CHAT, _chat('{"a": [1]}', response_format=OBJECT, max_tokens=1))
    choice = reply.json["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ('{"a":', "length")


def test_text_is_not_checked(url: str) -> None:
    body = _chat("NEVER JSON", response_format={"type": "text"})
    assert send(url, "POST", CHAT, body).status == 200


# ---------------------------------------------------------------------------- tools


def test_tools_reach_the_model_as_they_came(url: str, model: FakeModel) -> None:
    assert send(url, "POST", CHAT, _chat("hola", tools=TOOLS)).status == 200
    given = model.asked[-1][0]
    assert isinstance(given, Input)
    assert json.dumps(given.tools[0]) == json.dumps(TOOLS[0])
    assert send(url, "POST", CHAT, _chat("hola", tools=TOOLS, tool_choice="none")).status == 200
    last = model.asked[-1][0]
    assert isinstance(last, Input)
    assert last.tools == ()


def test_a_call_is_read(client: OpenAI) -> None:
    said = client.chat.completions.create(model="soporte", messages=user(CALL), tools=TOOLS)
    choice = said.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    assert choice.message.tool_calls is not None
    call = choice.message.tool_calls[0]
    assert call.type == "function"
    assert (call.function.name, json.loads(call.function.arguments)) == (
        "light",
        {"where": "salón"},
    )


def test_a_call_is_streamed_and_may_be_sent_back(client: OpenAI, model: FakeModel) -> None:
    text = f"Voy. {CALL} {CALL}"
    with client.chat.completions.stream(
        model="soporte", messages=user(text), tools=TOOLS
    ) as stream:
        stream.until_done()
        message = stream.get_final_completion().choices[0].message
    assert message.content == "Voy."
    assert message.tool_calls is not None
    assert [c.function.name for c in message.tool_calls] == ["light", "light"]
    answers = [
        {"role": "tool", "tool_call_id": call.id, "content": "on"} for call in message.tool_calls
    ]
    turns: list[Any] = [*user("a"), message.model_dump(exclude_none=True), *answers]
    for call in turns[1]["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    turns[1].pop("parsed", None)
    client.chat.completions.create(model="soporte", messages=turns, tools=TOOLS)
    given = model.asked[-1][0]
    assert isinstance(given, Input)
    assert given.messages[1].tool_calls[0]["function"] == {
        "name": "light",
        "arguments": {"where": "salón"},
    }
    assert given.messages[2].role == "tool"
    assert given.messages[2].tool_call_id == message.tool_calls[0].id


def test_without_tools_a_call_is_text(client: OpenAI) -> None:
    said = client.chat.completions.create(model="soporte", messages=user(CALL))
    assert said.choices[0].message.content == CALL
    assert said.choices[0].finish_reason == "stop"


def test_figures_of_tokens_arrive_though_their_text_is_held_back(client: OpenAI) -> None:
    chunks = client.chat.completions.create(
        model="soporte", messages=user(CALL), tools=TOOLS, logprobs=True, stream=True
    )
    tokens = [
        entry.token
        for chunk in chunks
        if chunk.choices[0].logprobs
        for entry in chunk.choices[0].logprobs.content or []
    ]
    assert "".join(tokens) == CALL


def test_a_format_is_not_asked_of_a_call(url: str) -> None:
    body = _chat(CALL, tools=TOOLS, response_format=OBJECT)
    reply = send(url, "POST", CHAT, body)
    assert reply.json["choices"][0]["finish_reason"] == "tool_calls"
