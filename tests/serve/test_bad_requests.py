"""What is wrong with a request is said with the right status, the field, and nothing private."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from tests.serve.conftest import Serve, user
from tests.serve.fake import FakeModel
from tests.serve.wire import send, send_raw

CHAT, COMPLETE = "/v1/chat/completions", "/v1/completions"
EMBED, CLASSIFY = "/v1/embeddings", "/v1/classify"


def _chat(**fields: Any) -> dict[str, Any]:
    return {"model": "soporte", "messages": user("hola"), **fields}


def _turns(*turns: Any) -> dict[str, Any]:
    return _chat(messages=list(turns))


def _tool(**function: Any) -> list[Any]:
    return [{"type": "function", "function": {"name": "f", **function}}]


def _format(**schema: Any) -> dict[str, Any]:
    return _chat(
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    )


def _call(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    return {
        "role": "assistant",
        "tool_calls": [{"id": "1", "type": "function", "function": function}],
    }


SCHEMA = "response_format.json_schema.schema"
LONG = "b " * 201
IMAGE = {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest"}}
TABLE: list[tuple[str, Any, int, str, str | None]] = [
    # A4: unknown fields and wrong types
    (CHAT, _chat(temperatur=1), 400, "unknown_field", "temperatur"),
    (CHAT, {"messages": user("a")}, 400, "missing_field", "model"),
    (CHAT, {"model": "soporte"}, 400, "missing_field", "messages"),
    (CHAT, _chat(model=5), 400, "invalid_value", "model"),
    (CHAT, _chat(temperature="1"), 400, "invalid_value", "temperature"),
    (CHAT, _chat(temperature=True), 400, "invalid_value", "temperature"),
    (CHAT, _chat(n=1.5), 400, "invalid_value", "n"),
    (CHAT, _chat(stream="yes"), 400, "invalid_value", "stream"),
    (CHAT, _chat(stop=5), 400, "invalid_value", "stop"),
    (CHAT, _chat(stop=["a", 5]), 400, "invalid_value", "stop.1"),
    (CHAT, _chat(logprobs=3), 400, "invalid_value", "logprobs"),
    (CHAT, _chat(logit_bias={"a": 1}), 400, "invalid_value", "logit_bias"),
    (CHAT, _chat(top_logprobs=2), 400, "invalid_value", "top_logprobs"),
    (CHAT, _chat(max_tokens=2, max_completion_tokens=2), 400, "invalid_value", "max_tokens"),
    (CHAT, _chat(stream_options={"include_usage": True}), 400, "invalid_value", "stream_options"),
    (CHAT, _chat(stream=True, stream_options={"x": 1}), 400, "unknown_field", "stream_options.x"),
    (CHAT, _chat(response_format={"type": "xml"}), 400, "invalid_value", "response_format.type"),
    (CHAT, _chat(response_format={"type": "json_schema"}), 400, "invalid_value", "response_format"),
    (CHAT, _chat(parallel_tool_calls=False), 400, "invalid_value", "parallel_tool_calls"),
    (CHAT, _chat(tool_choice="required"), 400, "invalid_value", "tool_choice"),
    (CHAT, _chat(tool_choice="auto"), 400, "invalid_value", "tool_choice"),
    (CHAT, _chat(tools=_tool(name="a b")), 400, "invalid_value", "tools.0.function.name"),
    (CHAT, _chat(tools=_tool(x=1)), 400, "unknown_field", "tools.0.function.x"),
    (CHAT, _chat(modalities=["audio"]), 400, "invalid_value", "modalities.0"),
    (CHAT, _chat(reasoning_effort="low"), 400, "unsupported_field", "reasoning_effort"),
    (CHAT, _chat(functions=[]), 400, "unsupported_field", "functions"),
    (COMPLETE, {"model": "soporte", "prompt": [1, 2]}, 400, "invalid_value", "prompt.0"),
    (COMPLETE, {"model": "soporte", "prompt": "a", "suffix": "b"}, 400, "unsupported_field", "suffix"),
    (COMPLETE, {"model": "soporte", "prompt": "a", "best_of": 2}, 400, "invalid_value", "best_of"),
    (
        COMPLETE,
        {"model": "soporte", "prompt": "a", "echo": True, "logprobs": 1},
        400,
        "invalid_value",
        "echo",
    ),
    (EMBED, {"model": "soporte", "input": [[1, 2]]}, 400, "invalid_value", "input.0"),
    (EMBED, {"model": "soporte", "input": "a", "dimensions": 2}, 400, "unsupported_value", "dimensions"),
    (
        EMBED,
        {"model": "soporte", "input": "a", "encoding_format": "hex"},
        400,
        "invalid_value",
        "encoding_format",
    ),
    (CLASSIFY, {"model": "soporte", "input": "a", "texts": "b"}, 400, "unknown_field", "texts"),
    # A5: out of bounds
    (CHAT, _chat(n=10**9), 422, "out_of_bounds", "n"),
    (CHAT, _chat(n=10**40), 422, "out_of_bounds", "n"),
    (CHAT, _chat(n=0), 422, "out_of_bounds", "n"),
    (CHAT, _chat(max_tokens=-1), 422, "out_of_bounds", "max_tokens"),
    (CHAT, _chat(max_completion_tokens=0), 422, "out_of_bounds", "max_completion_tokens"),
    (CHAT, _chat(temperature=float("nan")), 422, "out_of_bounds", "temperature"),
    (CHAT, _chat(temperature=2.01), 422, "out_of_bounds", "temperature"),
    (CHAT, _chat(top_p=0), 422, "out_of_bounds", "top_p"),
    (CHAT, _chat(frequency_penalty=-3), 422, "out_of_bounds", "frequency_penalty"),
    (CHAT, _chat(presence_penalty=1e308), 422, "out_of_bounds", "presence_penalty"),
    (CHAT, _chat(stop=["a"] * 1000), 422, "out_of_bounds", "stop"),
    (CHAT, _chat(stop=""), 422, "out_of_bounds", "stop"),
    (CHAT, _chat(logprobs=True, top_logprobs=9999), 422, "out_of_bounds", "top_logprobs"),
    (CHAT, _chat(logit_bias={"5": 101}), 422, "out_of_bounds", "logit_bias.5"),
    (CHAT, _chat(seed=2**70), 422, "out_of_bounds", "seed"),
    (CHAT, _chat(messages=user("a") * 2049), 422, "out_of_bounds", "messages"),
    (COMPLETE, {"model": "soporte", "prompt": "a", "logprobs": 9999}, 422, "out_of_bounds", "logprobs"),
    (COMPLETE, {"model": "soporte", "prompt": ["a"] * 65}, 422, "out_of_bounds", "prompt"),
    (COMPLETE, {"model": "soporte", "prompt": ["a"] * 33, "n": 2}, 400, "invalid_value", "n"),
    (EMBED, {"model": "soporte", "input": ["a"] * 2049}, 422, "out_of_bounds", "input"),
    (EMBED, {"model": "soporte", "input": ["a", ""]}, 422, "out_of_bounds", "input.1"),
    # A6: messages
    (CHAT, _turns(), 422, "out_of_bounds", "messages"),
    (CHAT, _turns({"role": "bot", "content": "a"}), 400, "invalid_value", "messages.0.role"),
    (CHAT, _turns({"role": "user", "content": [IMAGE]}), 400, "invalid_value", "messages.0.content.0"),
    (CHAT, _turns({"role": "user"}), 400, "invalid_value", "messages.0"),
    (CHAT, _turns({"role": "user", "content": 5}), 400, "invalid_value", "messages.0.content"),
    (CHAT, _turns({"role": "user", "content": "a", "x": 1}), 400, "unknown_field", "messages.0.x"),
    (CHAT, _turns({"role": "tool", "content": "a"}), 400, "invalid_value", "messages.0"),
    (
        CHAT,
        _turns(_call("{oops")),
        400,
        "invalid_value",
        "messages.0.tool_calls.0.function.arguments",
    ),
    (CHAT, _turns(_call("[]")), 400, "invalid_value", "messages.0.tool_calls.0.function.arguments"),
    # A7: templates
    (CHAT, _chat(chat_template="{{ 1 }}"), 400, "unsupported_field", "chat_template"),
    (CHAT, _chat(chat_template_kwargs={"a": 1}), 400, "unsupported_field", "chat_template_kwargs"),
    # A8: models
    (CHAT, _chat(model="nadie"), 404, "model_not_found", "model"),
    (CHAT, _chat(model="../../etc/passwd"), 404, "model_not_found", "model"),
    (EMBED, {"model": "ft:acme/tiny:ana::1", "input": "a"}, 400, "model_not_suitable", "model"),
    # A9: the context
    (CHAT, _chat(messages=user("a " * 200)), 400, "context_length_exceeded", "messages"),
    (COMPLETE, {"model": "soporte", "prompt": ["a", LONG]}, 400, "context_length_exceeded", "prompt"),
    (EMBED, {"model": "soporte", "input": ["a", LONG]}, 400, "context_length_exceeded", "input.1"),
    (CLASSIFY, {"model": "soporte", "input": LONG}, 400, "context_length_exceeded", "input"),
    # schemas that could not be checked whole
    (CHAT, _format(contains={}), 400, "invalid_schema", SCHEMA),
    (CHAT, _format(pattern="(?=a)b"), 400, "invalid_schema", SCHEMA),
    (CHAT, _format(**{"$ref": "#/nowhere"}), 400, "invalid_schema", SCHEMA),
    (
        CHAT,
        _chat(tools=_tool(strict=True, parameters={"type": "thing"})),
        400,
        "invalid_schema",
        "tools.0.function.parameters",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "code", "param"), TABLE)
def test_the_field_is_named(
    url: str, path: str, body: Any, status: int, code: str, param: str | None
) -> None:
    reply = send(url, "POST", path, body)
    assert (reply.status, reply.error["code"], reply.error["param"]) == (status, code, param)
    assert reply.error["message"]
    assert reply.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "line 1, column 1"),
        (b"{", "line 1, column 2"),
        (b"[1, 2]", "must be a JSON object"),
        (b"\xff\xfe{}", "not UTF-8 (byte 0)"),
        (b'{"model": "a", "model": "b"}', "'model' is there twice"),
        (b'{"model": "\\ud800"}', "surrogate"),
        (b'{"\\ud800": 1}', "no text"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"model": ' + b"[" * 70 + b"]" * 70 + b"}", "more than 64 deep"),
        (b'{"seed": ' + b"1" * 5000 + b"}", "digits"),
    ],
)
def test_a_body_that_is_not_sound_json(url: str, body: bytes, words: str) -> None:
    reply = send(url, "POST", CHAT, body)
    assert reply.status == 400
    assert words in reply.error["message"]


def test_numbers_that_are_none_are_named_wherever_they_are(url: str) -> None:
    reply = send(url, "POST", CHAT, b'{"model": "a", "metadata": {"x": [1, 1e999]}}')
    assert (reply.status, reply.error["param"]) == (422, "metadata.x.1")


def test_wrong_content_type_and_compressed_bodies(url: str) -> None:
    body = json.dumps(_chat()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        assert send(url, "POST", CHAT, body, {"content-type": kind}).status == 415
    bomb = gzip.compress(b" " * 50_000_000)
    assert send(url, "POST", CHAT, bomb, {"content-encoding": "gzip"}).status == 415
    kind = {"content-type": "application/json; charset=utf-8"}
    assert send(url, "POST", CHAT, body, kind).status == 200


def test_bodies_over_the_limit_are_not_read(url: str) -> None:
    reply = send(url, "POST", CHAT, b" " * 11_000_000)
    assert (reply.status, reply.error["code"]) == (413, "body_too_large")
    head = f"POST {CHAT} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    stated = send_raw(url, f"{head}Content-Length: 99999999999\r\n\r\n".encode())
    assert stated.startswith(b"HTTP/1.1 413")
    chunk = b"%x\r\n" % 1_000_000 + b" " * 1_000_000 + b"\r\n"
    body = f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunk * 11 + b"0\r\n\r\n"
    chunked = send_raw(url, body, shut=True)
    assert chunked.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.com\r\n\r\n",
        b"GARBAGE\r\n\r\n",
        b"GET /health\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    ],
)
def test_requests_of_wrong_shape_are_400(url: str, data: bytes) -> None:
    assert b"HTTP/1.1 400" in send_raw(url, data, shut=True)[:20]
    assert send(url, "GET", "/health").status == 200


def test_endless_headers_are_cut_off(url: str) -> None:
    head = b"GET /health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000
    assert b" 200 " not in send_raw(url, head + b"\r\n\r\n", shut=True)
    assert send(url, "GET", "/health").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/%2e%2e/%2e%2e/etc/passwd",
        "/v1/models/%252e%252e%252fetc",
        "/v1/models/",
        "/v1/models/soporte/",
        "/v1/models/a%00b",
        "/v1/models/..%5c..%5cx",
        "/v1//models",
        "//v1/models",
        "/v1/models/" + "a" * 4000,
        "/page.js",
        "/docs",
        "/openapi.json",
    ],
)
def test_paths_that_lead_nowhere_are_404(url: str, path: str) -> None:
    reply = send(url, "GET", path)
    assert (reply.status, len(reply.error["message"]) < 400) == (404, True)


def test_other_methods_are_405(url: str) -> None:
    for method, path in (("GET", CHAT), ("DELETE", "/v1/models/soporte"), ("PUT", "/")):
        reply = send(url, method, path)
        assert (reply.status, reply.error["code"]) == (405, "method_not_allowed")


def test_a_vector_that_is_no_vector_is_not_sent(url: str) -> None:
    reply = send(url, "POST", EMBED, {"model": "soporte", "input": "NAN"})
    assert (reply.status, reply.error["code"]) == (500, "not_finite")


def test_a_number_that_is_none_is_not_sent(url: str) -> None:
    reply = send(url, "POST", "/v1/regress", {"model": "soporte", "input": "NAN"})
    assert (reply.status, reply.error["code"]) == (500, "not_finite")


@pytest.mark.parametrize("given", [{"text": "a"}, {"text": "a", "text_b": ""}, [["a", "b"]], 5])
def test_pairs_of_a_wrong_shape_are_refused(url: str, given: Any) -> None:
    reply = send(url, "POST", "/v1/regress", {"model": "soporte", "input": given})
    assert reply.status in (400, 422)
    assert reply.error["param"].startswith("input")


def test_no_memory_is_503_and_may_be_tried_again(serve_live: Serve) -> None:
    class Full(FakeModel):
        def embed(self, texts: Any, use: str = "query") -> Any:
            raise MemoryError

    reply = send(serve_live(Full()), "POST", EMBED, {"model": "soporte", "input": "a"})
    assert (reply.status, reply.error["code"]) == (503, "out_of_memory")
    assert reply.headers["retry-after"] == "10"


def test_a_remedy_with_a_path_is_kept_back(serve_live: Serve) -> None:
    from afina.errors import ModelError

    class Broken(FakeModel):
        def predict(self, inputs: Any) -> Any:
            raise ModelError("the weights at /home/ana/runs/1/model are gone", do="train again")

    reply = send(serve_live(Broken()), "POST", CLASSIFY, {"model": "soporte", "input": "a"})
    assert (reply.status, reply.error["code"]) == (500, "internal_error")
    assert b"/home" not in reply.body
