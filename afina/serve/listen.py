"""``serve``: listens until it is told to stop, and stops in order."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from afina.serve.address import bind, check_access, is_loopback, url_of
from afina.serve.app import DEFAULT_MAX_TOKENS, MAX_WAITING, create_app
from afina.serve.model import ServedModel
from afina.serve.worker import Worker

GRACE_SECONDS = 5
"""How long answers in progress may go on after the wish to stop; a second one ends them at once."""

HEAD_SECONDS = 30.0
"""For the head of a request to arrive."""


def serve(
    models: Sequence[ServedModel],
    host: str = "127.0.0.1",
    port: int = 8000,
    api_key: str | None = None,
    *,
    say: Callable[[str], None] = print,
    allowed_hosts: Iterable[str] = (),
    max_waiting: int = MAX_WAITING,
    default_max_tokens: int = DEFAULT_MAX_TOKENS,
) -> None:
    """Answer for these models until SIGINT or SIGTERM; see ``create_app`` for the knobs.

    Port 0 takes a free one; the address is said through ``say``. Raises RequestError for a host
    that is no address, or that others can reach without a key, and MachineError where the port
    cannot be had.
    """
    check_access(host, api_key)
    app = create_app(
        models,
        api_key=api_key,
        host=host,
        allowed_hosts=allowed_hosts,
        max_waiting=max_waiting,
        default_max_tokens=default_max_tokens,
    )
    with bind(host, port) as listening:
        url = url_of(listening)
        names = ", ".join(model.name for model in models)
        say(f"{names} at {url}/v1 (page: {url}/); stop with Ctrl-C")
        if not is_loopback(host):
            say("other machines can reach it, unencrypted: put it behind a proxy with TLS")
        Server(app).run([listening])


class Patient(H11Protocol):
    """uvicorn's protocol, but the head of a request has ``HEAD_SECONDS`` to arrive: a client that sends
    it byte by byte would hold its connection for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head(None)

    def on_response_complete(self) -> None:
        answered = self.cycle
        super().on_response_complete()
        self._await_head(answered)

    def _await_head(self, answered: object) -> None:
        """Close the connection if by then no request has come after that one."""

        def close() -> None:
            if self.cycle is answered:
                self.transport.close()

        self.loop.call_later(HEAD_SECONDS, close)


class Server(uvicorn.Server):
    """uvicorn's server, but a stop that was asked for is a return, not the signal once more.

    Answers in progress have ``GRACE_SECONDS`` to come to their end; then their models are stopped,
    and their clients are told so.
    """

    def __init__(self, app: FastAPI) -> None:
        super().__init__(_config(app))
        self._worker: Worker = app.state.house.worker

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._worker.close)
        await super().shutdown(sockets)
        timer.cancel()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit:
            # Not from within the handler: what it interrupts may hold the same locks.
            asyncio.get_running_loop().call_soon_threadsafe(self._worker.close)
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Signals reach the main thread only; elsewhere whoever owns the thread stops the server.
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        kept = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in kept.items():
                signal.signal(number, handler)


def _config(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=Patient,  # h11 is strict about what a request may look like
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        log_level="warning",
        server_header=False,
        proxy_headers=False,
        # Past the grace there is only the token on which a model is at work.
        timeout_graceful_shutdown=GRACE_SECONDS + 5,
        h11_max_incomplete_event_size=64 * 1024,
    )
