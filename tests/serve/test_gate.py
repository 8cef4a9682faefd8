"""Every route is closed without the key, to other hosts, and to the pages of other sites."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

from afina.serve import create_app
from afina.serve.gate import OPEN, is_this_machine
from tests.serve.conftest import Serve, live, user
from tests.serve.fake import FakeModel
from tests.serve.wire import Reply, send, send_raw

KEY = "right-key-of-sixteen-or-more"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
BODIES = {
    "/v1/chat/completions": {"model": "soporte", "messages": user("a")},
    "/v1/completions": {"model": "soporte", "prompt": "a"},
    "/v1/embeddings": {"model": "soporte", "input": "a"},
    "/v1/rerank": {"model": "soporte", "query": "a", "documents": ["b"]},
    "/v1/classify": {"model": "soporte", "input": "a"},
    "/v1/regress": {"model": "soporte", "input": "a"},
    "/v1/tag": {"model": "soporte", "input": "a"},
    "/v1/score": {
        "model": "soporte",
        "input": {"messages": [*user("a"), {"role": "assistant", "content": "b"}]},
    },
    "/v1/answer": {"model": "soporte", "input": {"question": "a", "context": "b"}},
}


def _routes() -> list[str]:
    """The paths of the application itself, so that a new one is walked too."""
    found = [
        route.path.replace("{name:path}", "soporte")
        for route in create_app([FakeModel()], api_key=None).routes
        if isinstance(route, APIRoute)
    ]
    assert len(found) == len(create_app([FakeModel()], api_key=None).routes)
    return found


@pytest.fixture(scope="module")
def locked() -> Iterator[str]:
    with live(FakeModel(), api_key=KEY) as address:
        yield address


def _code(reply: Reply) -> str:
    return str(reply.error["code"])


def test_the_walk_knows_every_route() -> None:
    assert set(_routes()) == {"/", "/health", "/v1/models", "/v1/models/soporte", *BODIES}


@pytest.mark.parametrize("path", [*_routes(), "/docs", "/no/such", "/v1/models/other"])
def test_nothing_answers_without_the_key_but_health(locked: str, path: str) -> None:
    for method in METHODS:
        reply = send(locked, method, path, BODIES.get(path) if method == "POST" else None)
        if path in OPEN:
            assert reply.status == (200 if method == "GET" else 405)
        else:
            assert reply.status == 401
            assert reply.headers["www-authenticate"] == "Bearer"
            assert b"soporte" not in reply.body


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer   {KEY}"},
        {"api-key": KEY},
    ],
)
def test_the_key_opens(locked: str, headers: dict[str, str]) -> None:
    for path, body in BODIES.items():
        assert send(locked, "POST", path, body, headers).status == 200
    assert send(locked, "GET", "/v1/models", headers=headers).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": f"Basic {KEY}"},
        {"authorization": f"Bearer {KEY[:-1]}"},
        {"authorization": f"Bearer {KEY}x"},
        {"authorization": f"Bearer {KEY.upper()}"},
        {"authorization": KEY},
        {"api-key": ""},
        {"authorization": "Bearer wrong", "api-key": KEY},
        {"cookie": f"key={KEY}"},
    ],
)
def test_other_keys_do_not(locked: str, headers: dict[str, str]) -> None:
    reply = send(locked, "GET", "/v1/models", headers=headers)
    assert reply.status == 401
    assert _code(reply) in ("missing_api_key", "invalid_api_key")
    assert KEY not in reply.body.decode()


@pytest.mark.parametrize("name", ["api_key", "key", "API-Key", "access_token", "token"])
def test_a_key_in_the_address_is_refused_even_with_the_right_header(locked: str, name: str) -> None:
    right = {"authorization": f"Bearer {KEY}"}
    reply = send(locked, "GET", f"/v1/models?{name}={KEY}", headers=right)
    assert (reply.status, _code(reply)) == (401, "api_key_in_query")
    assert KEY not in reply.body.decode()


def test_the_page_is_shown_without_a_key_so_that_one_can_be_entered(locked: str) -> None:
    reply = send(locked, "GET", "/")
    assert reply.status == 401
    assert b'id="key-field"' in reply.body


@pytest.mark.parametrize("path", ["/", "/v1/models"])
def test_web_sockets_are_not_taken(locked: str, url: str, path: str) -> None:
    ask = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    assert b" 101 " not in send_raw(url, ask, shut=True)
    assert b"HTTP/1.1 401" in send_raw(locked, ask, shut=True)


# ---------------------------------------------------------------------------- host and origin


@pytest.mark.parametrize(
    "host", ["evil.com", "evil.com:8000", "127.0.0.1.evil.com", "localhost.evil.com", "10.0.0.5"]
)
def test_other_hosts_are_refused_on_this_machine(url: str, host: str) -> None:
    for path in ("/", "/health", "/v1/models"):
        reply = send(url, "GET", path, headers={"host": host})
        assert (reply.status, _code(reply)) == (403, "host_not_allowed")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:1", "afina.localhost", "127.0.0.1:9", "127.8.8.8", "[::1]:80"]
)
def test_the_names_of_this_machine_pass(url: str, host: str) -> None:
    assert send(url, "GET", "/v1/models", headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "host", ["a@localhost", "localhost/x", "localhost:x", "[::1", "local host"]
)
def test_hosts_that_are_none(url: str, host: str) -> None:
    assert send(url, "GET", "/health", headers={"host": host}).status in (400, 403)


def test_hosts_may_be_allowed(serve_live: Serve) -> None:
    url = serve_live(FakeModel(), allowed_hosts=["afina.example"])
    assert send(url, "GET", "/health", headers={"host": "Afina.example:80"}).status == 200
    assert send(url, "GET", "/health", headers={"host": "other.example"}).status == 403


def test_beyond_this_machine_any_name_passes_unless_they_are_listed(serve_live: Serve) -> None:
    wide = serve_live(FakeModel(), api_key=KEY, host="0.0.0.0")
    assert send(wide, "GET", "/health", headers={"host": "box.example"}).status == 200
    listed = serve_live(FakeModel(), api_key=KEY, host="0.0.0.0", allowed_hosts=["a.example"])
    assert send(listed, "GET", "/health", headers={"host": "box.example"}).status == 403


@pytest.mark.parametrize(
    ("name", "this"),
    [
        ("localhost", True), ("::1", True), ("::ffff:127.0.0.1", True), ("127.1.2.3", True),
        ("0.0.0.0", False), ("::", False), ("192.168.1.2", False), ("::ffff:10.0.0.1", False),
        ("notlocalhost", False), ("127.0.0.1.nip.io", False), ("2130706433", False),
    ],
)  # fmt: skip
def test_which_names_mean_this_machine(name: str, this: bool) -> None:
    assert is_this_machine(name) is this


ELSEWHERE: list[dict[str, str]] = [
    {"origin": "https://evil.com"},
    {"origin": "http://evil.com:80"},
    {"origin": "null"},
    {"origin": ""},
    {"origin": "file://"},
    {"origin": "http://["},
    {"origin": "http://localhost.evil.com"},
    {"origin": "http://localhost:1"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
]


@pytest.mark.parametrize("headers", ELSEWHERE)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_pages_of_other_sites_change_nothing(
    url: str, method: str, headers: dict[str, str]
) -> None:
    body: Any = BODIES["/v1/classify"]
    reply = send(url, method, "/v1/classify", body, {"host": "localhost", **headers})
    assert (reply.status, _code(reply)) == (403, "cross_origin")


def test_the_form_of_another_site_is_refused_by_its_kind_too(url: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        reply = send(url, "POST", "/v1/classify", b"{}", {"content-type": kind})
        assert reply.status == 415


def test_our_own_page_may_ask(url: str) -> None:
    own = {"origin": url, "sec-fetch-site": "same-origin"}
    assert send(url, "POST", "/v1/classify", BODIES["/v1/classify"], own).status == 200


def test_no_answer_invites_other_sites(url: str) -> None:
    asks = {"origin": "https://evil.com", "access-control-request-method": "POST"}
    for method in ("GET", "OPTIONS"):
        reply = send(url, method, "/v1/models", headers=asks)
        assert not [name for name in reply.headers if name.startswith("access-control-")]


# ---------------------------------------------------------------------------- headers and the log


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models", "/no/such"])
def test_every_answer_has_the_headers(url: str, path: str) -> None:
    headers = send(url, "GET", path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert headers["x-request-id"] != send(url, "GET", path).headers["x-request-id"]


def test_the_log_has_neither_keys_nor_texts(locked: str, caplog: pytest.LogCaptureFixture) -> None:
    right = {"authorization": f"Bearer {KEY}"}
    body = {"model": "soporte", "messages": user("my secret diary")}
    with caplog.at_level(logging.DEBUG):
        request_id = send(locked, "POST", "/v1/chat/completions", body, right).headers[
            "x-request-id"
        ]
        send(locked, "GET", f"/v1/models?api_key={KEY}")
        send(locked, "GET", "/v1/models/a%0aforged%20line", headers=right)
    lines = [record.getMessage() for record in caplog.records if record.name == "afina.serve"]
    assert any(request_id in line and "200" in line for line in lines)
    assert all("\n" not in line for line in lines)
    assert "diary" not in caplog.text
    assert KEY not in caplog.text
