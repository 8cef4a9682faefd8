"""Many at once, readers that leave or stall, and what waits for what."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from openai import OpenAI

from afina.models.sampling import Piece, Sampling
from afina.serve import body, events, listen
from afina.types import Input
from tests.serve.conftest import Serve, live, user
from tests.serve.fake import FakeModel
from tests.serve.wire import open_stream, send, send_raw

CHAT = "/v1/chat/completions"


def _chat(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "soporte", "messages": user(text), **fields}


def _until(true: Callable[[], bool], seconds: float = 5.0) -> bool:
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.01)
    return true()


def test_sixteen_streams_at_once_do_not_mix(serve_live: Serve) -> None:
    model = FakeModel(context_length=1000)
    url = serve_live(model)

    def ask(number: int) -> tuple[str, str]:
        text = " ".join(f"{number}-{i}" for i in range(40))
        with OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client:
            chunks = client.chat.completions.create(
                model="soporte", messages=user(text), stream=True
            )
            return text, "".join(c.choices[0].delta.content or "" for c in chunks)

    with ThreadPoolExecutor(16) as pool:
        pairs = list(pool.map(ask, range(16)))
    assert all(text == answer for text, answer in pairs)
    assert len(model.threads) == 1


def test_turns_are_taken_in_order_of_arrival_and_choice_by_choice(serve_live: Serve) -> None:
    model = FakeModel(context_length=1000)
    url = serve_live(model)
    with ThreadPoolExecutor(4) as pool:
        long = pool.submit(send, url, "POST", CHAT, _chat("SLOW 20", n=3))
        assert _until(lambda: len(model.asked) == 1)
        rest = []
        for name in ("first", "second"):
            rest.append(pool.submit(send, url, "POST", CHAT, _chat(name)))
            time.sleep(0.1)
        assert [one.result().status for one in (long, *rest)] == [200] * 3
    order = [given.text for given, _ in model.asked if isinstance(given, Input)]
    assert order == ["SLOW 20", "first", "second", "SLOW 20", "SLOW 20"]


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_stops_the_model(serve_live: Serve, stream: bool) -> None:
    model = FakeModel(context_length=10_000)
    url = serve_live(model)
    data = json.dumps(_chat("SLOW 5000", stream=stream)).encode()
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as line:
        line.sendall(
            f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n".encode()
            + data
        )
        assert _until(lambda: model.said > 3)
        if stream:
            assert b"w0" in line.recv(65536)
        assert not model.closed.is_set()
    assert model.closed.wait(1.0)
    said = model.said
    assert send(url, "POST", CHAT, _chat("next")).status == 200
    assert model.said == said + 1


def test_who_leaves_the_queue_is_never_begun(serve_live: Serve) -> None:
    model = FakeModel(context_length=1000)
    url = serve_live(model)
    first, answer = open_stream(url, CHAT, _chat("SLOW 25", stream=True))
    data = json.dumps(_chat("gone")).encode()
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    parts = urlsplit(url)
    with socket.create_connection((str(parts.hostname), int(parts.port or 0))) as line:
        line.sendall(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        time.sleep(0.1)
    assert b"[DONE]" in answer.read()
    first.close()
    assert send(url, "POST", CHAT, _chat("after")).status == 200
    assert [g.text for g, _ in model.asked if isinstance(g, Input)] == ["SLOW 25", "after"]


def test_a_full_house_says_when_to_come_back(serve_live: Serve) -> None:
    model = FakeModel(context_length=1000)
    url = serve_live(model, max_waiting=2)
    inside = [open_stream(url, CHAT, _chat("SLOW 900", stream=True)) for _ in range(1)]
    waiting = threading.Thread(target=send, args=(url, "POST", CHAT, _chat("waits")))
    waiting.start()
    too_long = _chat("a", max_tokens=10**8)  # refused for what it asks as long as there is a place
    assert _until(lambda: send(url, "POST", CHAT, too_long).status == 429, 5)
    reply = send(url, "POST", CHAT, _chat("too many"))
    assert (reply.status, reply.error["code"]) == (429, "queue_full")
    assert 1 <= int(reply.headers["retry-after"]) <= 60
    with (
        OpenAI(base_url=f"{url}/v1", api_key="x", max_retries=0) as client,
        pytest.raises(openai.RateLimitError),
    ):
        client.chat.completions.create(model="soporte", messages=user("too many"), stream=True)
    assert send(url, "GET", "/v1/models").status == 200
    for connection, _ in inside:
        connection.close()
    waiting.join()
    assert send(url, "POST", CHAT, _chat("now")).status == 200


class Torrent(FakeModel):
    """Answers with far more than any socket holds."""

    def stream(self, given: Input | str, sampling: Sampling) -> Iterator[Piece]:
        if isinstance(given, Input) and given.text == "torrent":
            for index in range(400):
                yield Piece("x" * 100_000, index)
            yield Piece("", finish="stop")
        else:
            yield from super().stream(given, sampling)


def test_a_reader_that_stalls_holds_up_nobody_and_is_given_up(
    serve_live: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "STALLED_SECONDS", 2.0)
    url = serve_live(Torrent(context_length=10**6), max_waiting=2)
    stalled, _ = open_stream(url, CHAT, _chat("torrent", stream=True))
    assert send(url, "POST", CHAT, _chat("hola")).status == 200
    # Its place in the house is free again: beside an answer of a minute another request fits in,
    # and is refused for what it asks, not for want of a place.
    other, answer = open_stream(url, CHAT, _chat("SLOW 3000", stream=True))
    too_long = _chat("a", max_tokens=10**8)
    assert send(url, "POST", CHAT, too_long).status == 429
    assert _until(lambda: send(url, "POST", CHAT, too_long).status == 400, 10)
    answer.close()
    other.close()
    stalled.close()


def test_silence_is_filled_with_comments_that_clients_skip(
    serve_live: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE_SECONDS", 0.1)
    url = serve_live(FakeModel(pause_seconds=0.25))
    reply = send(url, "POST", CHAT, _chat("SLOW 2", stream=True))
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.body.startswith(b": the model is at work\n\n")
    with OpenAI(base_url=f"{url}/v1", api_key="x") as client:
        chunks = client.chat.completions.create(
            model="soporte", messages=user("SLOW 2"), stream=True
        )
        assert "".join(c.choices[0].delta.content or "" for c in chunks) == "w0 w1 "


def test_an_error_after_a_comment_is_an_event(
    serve_live: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "PATIENCE_SECONDS", 0.05)

    class Late(FakeModel):
        def stream(self, given: Input | str, sampling: Sampling) -> Iterator[Piece]:
            time.sleep(0.3)
            raise RuntimeError("secret")
            yield

    reply = send(serve_live(Late()), "POST", CHAT, _chat("a", stream=True))
    assert reply.status == 200
    last = reply.body.decode().strip().split("\n\n")[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "internal_error"
    assert "secret" not in last


def test_a_body_that_trickles_is_given_up(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "MAX_SECONDS", 0.3)
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 408 " in send_raw(url, f"{head}Content-Length: 100\r\n\r\n{{".encode())


def test_a_head_that_trickles_is_given_up_and_an_answer_is_not(
    serve_live: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listen, "HEAD_SECONDS", 0.5)
    url = serve_live(FakeModel(context_length=1000))
    parts = urlsplit(url)
    began = time.monotonic()
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=10) as line:
        line.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while not got.endswith(b"}"):
            got += line.recv(65536)
        line.sendall(b"GET /health HTTP/1.1\r\nHost: local")
        assert line.recv(65536) == b""
    assert time.monotonic() - began > 0.4
    reply = send(url, "POST", CHAT, _chat("SLOW 60"))
    assert reply.json["choices"][0]["finish_reason"] == "stop"


def test_a_body_that_ends_early_does_no_harm(url: str) -> None:
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    assert b" 200 " not in send_raw(url, f"{head}Content-Length: 100\r\n\r\n{{".encode(), shut=True)
    assert send(url, "GET", "/health").status == 200


def test_a_server_that_stops_tells_its_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "GRACE_SECONDS", 1)
    model = FakeModel(context_length=10_000)
    with ThreadPoolExecutor(3) as pool:
        with live(model) as url:
            streamed = pool.submit(send, url, "POST", CHAT, _chat("SLOW 5000", stream=True))
            assert _until(lambda: model.said > 1)
            waiting = pool.submit(send, url, "POST", CHAT, _chat("waits"))
            time.sleep(0.1)
        last = streamed.result().body.decode().strip().split("\n\n")[-1]
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "shutting_down"
        assert (waiting.result().status, waiting.result().error["code"]) == (503, "shutting_down")
    assert model.closed.wait(1.0)


def test_answers_in_progress_may_end() -> None:
    model = FakeModel(context_length=10_000)
    with ThreadPoolExecutor(1) as pool:
        with live(model) as url:
            reply = pool.submit(send, url, "POST", CHAT, _chat("SLOW 40"))
            assert _until(lambda: model.said > 1)
        assert reply.result().json["choices"][0]["finish_reason"] == "stop"
