"""Where the server may listen, what it says, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from afina.errors import AfinaError, MachineError, RequestError
from afina.serve import create_app, serve
from afina.serve.address import bind, check_access, is_loopback, url_of
from tests.serve.conftest import user
from tests.serve.fake import FakeModel
from tests.serve.wire import open_stream, send

GOOD_KEY = "a-key-of-more-than-sixteen"
PROGRAM = """
import functools, sys
from afina.serve import listen
from tests.serve.fake import FakeModel
listen.GRACE_SECONDS = int(sys.argv[1])
listen.serve([FakeModel(context_length=10**6)], port=0, say=functools.partial(print, flush=True))
print("ended", flush=True)
"""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.7.7", "::ffff:10.1.1.1", "[::]"])
def test_beyond_this_machine_needs_a_key(host: str) -> None:
    with pytest.raises(RequestError) as caught:
        serve([FakeModel()], host, 0)
    assert "AFINA_API_KEY" in caught.value.do
    with pytest.raises(RequestError, match="too few"):
        check_access(host, "short")
    check_access(host, GOOD_KEY)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_this_machine_needs_none(host: str) -> None:
    assert is_loopback(host)
    check_access(host, None)


@pytest.mark.parametrize("key", ["", "ñandú-ñandú-ñandú-ñandú", "a b", "a\nb"])
def test_keys_that_no_header_can_carry(key: str) -> None:
    with pytest.raises(RequestError, match="API key"):
        check_access("127.0.0.1", key)


def test_a_port_in_use_is_said() -> None:
    with bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"port {port} is in use") as caught:
            serve([FakeModel()], "127.0.0.1", port)
    assert "--port" in caught.value.do


@pytest.mark.parametrize("host", ["no.such.host.invalid", "203.0.113.9", "unix:/run/x", "a" * 300])
def test_hosts_that_are_not_of_this_machine(host: str) -> None:
    with pytest.raises(AfinaError) as caught:
        bind(host, 0)
    assert isinstance(caught.value, RequestError)
    assert caught.value.where == "serve.host"


def test_addresses_to_open() -> None:
    with bind("127.0.0.1", 0) as one, bind("0.0.0.0", 0) as wide:
        assert url_of(one) == f"http://127.0.0.1:{one.getsockname()[1]}"
        assert url_of(wide) == f"http://127.0.0.1:{wide.getsockname()[1]}"


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_an_address_of_the_newer_kind() -> None:
    try:
        listening = bind("[::1]", 0)
    except RequestError:
        pytest.skip("this machine has no address ::1")
    with listening:
        assert url_of(listening).startswith("http://[::1]:")


def test_models_must_be_told_apart() -> None:
    with pytest.raises(RequestError, match="two models have the name soporte"):
        create_app([FakeModel(), FakeModel()], api_key=None)
    with pytest.raises(RequestError, match="no model"):
        create_app([], api_key=None)


@contextmanager
def _process(grace_seconds: int = 1) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its address as it says it."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(grace_seconds)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert found is not None, said
        assert int(found.group(1)) > 0
        yield process, found.group(0)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_order(number: signal.Signals) -> None:
    with _process() as (process, url):
        assert send(url, "GET", "/health").json == {"status": "ok"}
        body = {"model": "soporte", "messages": user("SLOW 50000"), "stream": True}
        connection, answer = open_stream(url, "/v1/chat/completions", body)
        assert b"assistant" in answer.readline()
        process.send_signal(number)
        out, errors = process.communicate(timeout=10)
        connection.close()
    assert (process.returncode, out.strip()) == (0, "ended")
    assert "Traceback" not in errors


def test_a_second_signal_does_not_wait() -> None:
    with _process(grace_seconds=100) as (process, url):
        body = {"model": "soporte", "messages": user("SLOW 50000"), "stream": True}
        connection, answer = open_stream(url, "/v1/chat/completions", body)
        assert b"assistant" in answer.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=10)
        connection.close()
    assert (process.returncode, out.strip()) == (0, "ended")
    assert time.monotonic() - began < 8
