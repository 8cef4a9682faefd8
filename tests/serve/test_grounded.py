"""Chats that are answered from documents: what the model sees, what the client is told."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from openai import OpenAI

from afina.retrieval import Index, Rag
from afina.serve.grounded import Grounded
from tests.retrieval.test_index import documents
from tests.serve.conftest import Serve, user
from tests.serve.fake import FakeModel
from tests.serve.wire import send

CHAT = "/v1/chat/completions"
TEXTS = ("the boiler is in the cellar", "waste goes out on tuesday")


@pytest.fixture
def served(serve_live: Serve) -> Callable[..., tuple[str, FakeModel]]:
    def start(context_length: int = 200) -> tuple[str, FakeModel]:
        model = FakeModel(context_length=context_length)
        rag = Rag(
            Index(documents(*TEXTS)), model,  # type: ignore[arg-type]
            count_tokens=model.count_tokens, room=context_length - 8, passages=1,
        )  # fmt: skip
        return serve_live(Grounded(model, rag)), model

    return start


def test_the_answer_names_the_documents_it_was_shown(
    served: Callable[..., tuple[str, FakeModel]],
) -> None:
    url, model = served()
    reply = send(url, "POST", CHAT, {"model": "soporte", "messages": user("where is the boiler")})
    assert reply.json["afina"] == {"sources": ["d0"]}
    shown = "[d0]\nthe boiler is in the cellar\n\nwhere is the boiler"
    assert reply.json["choices"][0]["message"]["content"] == shown
    assert reply.json["usage"]["prompt_tokens"] == model.count_tokens(model.asked[0][0])
    other = send(url, "POST", CHAT, {"model": "soporte", "messages": user("xylophone")})
    assert other.json["afina"] == {"sources": []}
    assert other.json["choices"][0]["message"]["content"] == "xylophone"


def test_a_stream_names_them_once(served: Callable[..., tuple[str, FakeModel]]) -> None:
    url, _ = served()
    body = {"model": "soporte", "messages": user("when does waste go"), "stream": True}
    reply = send(url, "POST", CHAT, body)
    lines = [line.removeprefix("data: ") for line in reply.body.decode().split("\n\n") if line]
    events = [json.loads(line) for line in lines if line != "[DONE]"]
    assert [e.get("afina") for e in events[:2]] == [{"sources": ["d1"]}, None]
    client = OpenAI(base_url=f"{url}/v1", api_key="none")
    asked = client.chat.completions.create(model="soporte", messages=user("waste"), stream=True)  # type: ignore[call-overload]
    assert "tuesday" in "".join(c.choices[0].delta.content or "" for c in asked)


@pytest.mark.parametrize(("limit", "sources"), [(5, ["d0"]), (30, [])])
def test_passages_leave_room_for_the_answer_that_is_asked(
    served: Callable[..., tuple[str, FakeModel]], limit: int, sources: list[str]
) -> None:
    url, _ = served(context_length=36)
    body = {"model": "soporte", "messages": user("where is the boiler"), "max_tokens": limit}
    reply = send(url, "POST", CHAT, body)
    assert (reply.status, reply.json["afina"]) == (200, {"sources": sources})


def test_everything_else_stays_as_it_is(served: Callable[..., tuple[str, FakeModel]]) -> None:
    url, _ = served()
    reply = send(url, "POST", "/v1/completions", {"model": "soporte", "prompt": "the boiler"})
    assert "afina" not in reply.json
    assert reply.json["choices"][0]["text"] == "the boiler"
