"""One thread that runs the models: one job at a time, in the order in which they came.

Two generations side by side would each take twice as long and twice the memory, so they wait for
each other. How many requests may wait is bounded; who comes then is told when to come back.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TypeVar

from afina.models.sampling import Piece, Sampling
from afina.retrieval import Sourced
from afina.serve.failure import ApiError, from_model
from afina.serve.model import Grounds, ServedModel
from afina.types import Input

Result = TypeVar("Result")


class Worker:
    """Runs jobs of the models. ``max_waiting``: requests that may be in the house at one time."""

    def __init__(self, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self.inside = 0
        self.closed = False
        self._models = ThreadPoolExecutor(1, "afina-model")
        # Counting a prompt's tokens is quick and must not wait behind an answer of minutes.
        self._counts = ThreadPoolExecutor(1, "afina-count")
        self._stops: set[threading.Event] = set()
        self._seconds: deque[float] = deque([1.0], maxlen=16)

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """The time that one request is in the house. Raises ApiError 429 when it is full."""
        if self.inside >= self.max_waiting:
            mean_seconds = sum(self._seconds) / len(self._seconds)
            raise ApiError(
                429,
                f"{self.inside} requests are being answered or waiting, and no more may wait",
                code="queue_full",
                headers={"retry-after": str(min(max(math.ceil(mean_seconds), 1), 60))},
            )
        self.inside += 1
        began = time.monotonic()
        try:
            yield
        finally:
            self.inside -= 1
            self._seconds.append(time.monotonic() - began)

    async def count(self, model: ServedModel, given: Input | str) -> int:
        """Tokens of a prompt. Raises ApiError if the model cannot take it."""
        return await self._result(self._counts, lambda: model.count_tokens(given))

    async def ground(self, model: Grounds, given: Input, answer_tokens: int | None) -> Sourced:
        """A conversation with the passages of its documents."""
        return await self._result(self._counts, lambda: model.ground(given, answer_tokens))

    async def count_all(self, model: ServedModel, given: Sequence[Input | str]) -> list[int]:
        """Tokens of each."""
        return await self._result(self._counts, lambda: [model.count_tokens(one) for one in given])

    async def call(self, job: Callable[[], Result]) -> Result:
        """The result of a job of a model, when its turn has come. Raises ApiError."""
        return await self._result(self._models, job)

    @asynccontextmanager
    async def generation(
        self, model: ServedModel, given: Input | str, sampling: Sampling
    ) -> AsyncIterator[AsyncIterator[Piece]]:
        """The pieces of one answer as they come; leaving the context stops the model.

        The pieces wait for their reader, not the model: a slow reader holds up nobody.
        """
        self._check_open()
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Piece | None] = asyncio.Queue()
        stop = threading.Event()

        def job() -> None:
            pieces = model.stream(given, sampling)
            try:
                for piece in pieces:
                    if stop.is_set():
                        return
                    loop.call_soon_threadsafe(arrived.put_nowait, piece)
            finally:
                if close := getattr(pieces, "close", None):
                    close()

        done = loop.run_in_executor(self._models, job)
        done.add_done_callback(lambda _: arrived.put_nowait(None))

        async def pieces_in_order() -> AsyncGenerator[Piece, None]:
            while (piece := await arrived.get()) is not None:
                yield piece
            if self.closed or done.cancelled():
                raise _closed()
            if error := done.exception():
                raise from_model(error)

        self._stops.add(stop)
        try:
            async with aclosing(pieces_in_order()) as pieces:
                yield pieces
        finally:
            stop.set()
            done.cancel()
            self._stops.discard(stop)

    def close(self) -> None:
        """Stop everything: no job begins any more, and generations end after their next token."""
        self.closed = True
        for stop in self._stops:
            stop.set()
        self._models.shutdown(wait=False, cancel_futures=True)
        self._counts.shutdown(wait=False, cancel_futures=True)

    async def _result(self, thread: ThreadPoolExecutor, job: Callable[[], Result]) -> Result:
        self._check_open()
        done = asyncio.get_running_loop().run_in_executor(thread, job)
        try:
            await asyncio.wait({done})
        finally:
            # The caller has gone: a job that has not begun is not begun.
            done.cancel()
        if done.cancelled():
            raise _closed()
        if error := done.exception():
            raise from_model(error)
        return done.result()

    def _check_open(self) -> None:
        if self.closed:
            raise _closed()


def _closed() -> ApiError:
    return ApiError(503, "the server is shutting down", code="shutting_down")
