"""A server on a free port of this machine, in a thread, with a model that needs no weights."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from openai import OpenAI

from afina.serve import create_app
from afina.serve.address import bind, url_of
from afina.serve.listen import Server
from tests.serve.fake import FakeModel

Serve = Callable[..., str]


@contextmanager
def live(*models: FakeModel, api_key: str | None = None, **knobs: Any) -> Iterator[str]:
    """The server's address while it runs."""
    server = Server(create_app(models, api_key=api_key, **knobs))
    listening = bind("127.0.0.1", 0)
    url = url_of(listening)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        until = time.monotonic() + 10
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        yield url
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


@pytest.fixture
def serve_live() -> Iterator[Serve]:
    """Starts servers that end with the test."""
    with ExitStack() as stack:
        yield lambda *models, **knobs: stack.enter_context(live(*models, **knobs))


@pytest.fixture(scope="module")
def model() -> FakeModel:
    return FakeModel()


@pytest.fixture(scope="module")
def url(model: FakeModel) -> Iterator[str]:
    other = FakeModel(name="ft:acme/tiny:ana::1", kinds=frozenset({"classify"}))
    with live(model, other) as address:
        yield address


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[OpenAI]:
    """The official client as it is, but checking every field of every answer."""
    with OpenAI(
        base_url=f"{url}/v1", api_key="unused", max_retries=0, _strict_response_validation=True
    ) as one:
        yield one


def user(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]
