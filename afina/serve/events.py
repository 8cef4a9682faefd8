"""Answers that are watched while they are made: the work ends when the client goes away.

An event stream is sent as server-sent events, the way the OpenAI API does it: ``data: {…}`` lines,
and ``data: [DONE]`` at the end. An error after the first event is an event too.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from afina.serve.failure import ApiError

Result = TypeVar("Result")
Events = AsyncGenerator[dict[str, Any], None]

PATIENCE_SECONDS = 10.0
"""Silence after which a comment is sent, so that nobody on the way takes the stream for dead."""
STALLED_SECONDS = 60.0
"""How long a reader may take nothing before it is given up."""
_COMMENT = b": the model is at work\n\n"
_DONE = b"data: [DONE]\n\n"


async def answer(request: Request, work: Coroutine[Any, Any, dict[str, Any]]) -> Response:
    """What the work makes, as JSON. If the client goes away first the work is cancelled."""
    made = await _while_there(request.receive, work)
    # Nobody reads the second one: 499 is what proxies write down for a client that has gone.
    return Response(status_code=499) if made is None else JSONResponse(made)


class EventStream(Response):
    """Sends what the generator yields. An error before the first event is an ordinary answer."""

    def __init__(self, events: Events) -> None:
        super().__init__(
            media_type="text/event-stream; charset=utf-8",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )
        # The parent states the length of its empty body; the length of a stream is not known.
        self.raw_headers = [pair for pair in self.raw_headers if pair[0] != b"content-length"]
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _while_there(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        chunks = _chunks(self.events)
        try:
            first = await anext(chunks)
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            reads = await _taken(send, first)
            while reads and (chunk := await anext(chunks, b"")):
                reads = await _taken(send, chunk)
            if reads:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await chunks.aclose()


async def _chunks(events: Events) -> AsyncGenerator[bytes, None]:
    """The bytes of a stream. Raises ApiError only as the very first thing."""
    upcoming: asyncio.Task[dict[str, Any] | None] | None = None
    begun = False
    try:
        while True:
            upcoming = upcoming or asyncio.create_task(_next(events))
            await asyncio.wait({upcoming}, timeout=PATIENCE_SECONDS)
            if not upcoming.done():
                begun = True
                yield _COMMENT
                continue
            arrived, upcoming = upcoming, None
            try:
                event = arrived.result()
            except ApiError as error:
                if not begun:
                    raise
                yield _data(error.as_json())
                return
            begun = True
            if event is None:
                yield _DONE
                return
            yield _data(event)
    finally:
        if upcoming is not None:
            upcoming.cancel()
            await asyncio.gather(upcoming, return_exceptions=True)
        await events.aclose()


async def _next(events: Events) -> dict[str, Any] | None:
    return await anext(events, None)


def _data(event: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(event, ensure_ascii=False, allow_nan=False).encode() + b"\n\n"


async def _taken(send: Send, chunk: bytes) -> bool:
    """Whether the reader took the chunk within the time that it has."""
    message: Message = {"type": "http.response.body", "body": chunk, "more_body": True}
    try:
        async with asyncio.timeout(STALLED_SECONDS):
            await send(message)
    except TimeoutError:
        return False
    return True


async def _while_there(receive: Receive, work: Coroutine[Any, Any, Result]) -> Result | None:
    """The result of the work, or None if the client went away, which cancels it."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_disconnect(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
