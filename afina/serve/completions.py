"""``POST /v1/completions``: goes on from a raw text, without a template."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from afina.models.sampling import Piece
from afina.serve.asked import CompletionRequest
from afina.serve.body import read_body
from afina.serve.drawing import finite, now, sampling, usage
from afina.serve.events import Events, EventStream, answer
from afina.serve.house import House
from afina.serve.model import ServedModel

DEFAULT_MAX_TOKENS = 16
"""The OpenAI API's own default for completions."""


@dataclass
class Completion:
    """One request, understood. ``answer_tokens`` grows while its choices are made."""

    house: House
    asked: CompletionRequest
    model: ServedModel
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=now)
    prompt_tokens: int = 0
    answer_tokens: int = 0
    rooms: tuple[int, ...] = ()

    async def measure(self) -> None:
        """Count the prompts and find the room for each answer. Raises ApiError if one has none."""
        counts = await self.house.worker.count_all(self.model, self.asked.prompts)
        self.prompt_tokens = sum(counts)
        usual = self.model.usual_tokens or DEFAULT_MAX_TOKENS
        self.rooms = tuple(
            self.house.room(self.model, count, self.asked.max_tokens, usual, "prompt")
            for count in counts
        )

    @property
    def choices(self) -> list[tuple[int, int, str]]:
        """(index of the choice, index of the prompt, prompt): all choices of a prompt in a row."""
        n = self.asked.n or 1
        return [
            (place * n + which, place, prompt)
            for place, prompt in enumerate(self.asked.prompts)
            for which in range(n)
        ]


async def completions(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, CompletionRequest)
    call = Completion(house, asked, house.model(asked.model, "completion"))
    return EventStream(_stream(call)) if asked.stream else await answer(request, _whole(call))


async def _whole(call: Completion) -> dict[str, Any]:
    with call.house.worker.admitted():
        await call.measure()
        choices = [await _choice(call, *where) for where in call.choices]
    return {
        **_head(call),
        "choices": choices,
        "usage": usage(call.prompt_tokens, call.answer_tokens),
    }


async def _choice(call: Completion, index: int, place: int, prompt: str) -> dict[str, Any]:
    async with aclosing(_pieces(call, index, place, prompt)) as source:
        pieces = [piece async for piece in source]
    text = "".join(piece.text for piece in pieces)
    finish = pieces[-1].finish if pieces else "stop"
    begin = prompt if call.asked.echo else ""
    return _shown(call, index, begin + text, _Logprobs().add(pieces), finish)


async def _stream(call: Completion) -> Events:
    options = call.asked.stream_options
    with_usage = options is not None and bool(options.include_usage)
    tail = {"usage": None} if with_usage else {}
    with call.house.worker.admitted():
        await call.measure()
        for index, place, prompt in call.choices:
            logprobs = _Logprobs()
            async with aclosing(_pieces(call, index, place, prompt)) as pieces:
                if call.asked.echo:
                    yield {
                        **_head(call),
                        "choices": [_shown(call, index, prompt, None, None)],
                        **tail,
                    }
                async for piece in pieces:
                    shown = _shown(
                        call, index, piece.text, logprobs.add([piece]), piece.finish or None
                    )
                    yield {**_head(call), "choices": [shown], **tail}
    if with_usage:
        total = usage(call.prompt_tokens, call.answer_tokens)
        yield {**_head(call), "choices": [], "usage": total}


async def _pieces(
    call: Completion, index: int, place: int, prompt: str
) -> AsyncGenerator[Piece, None]:
    which = index % (call.asked.n or 1)
    drawn = sampling(call.asked, which, call.rooms[place], call.asked.logprobs)
    async with call.house.worker.generation(call.model, prompt, drawn) as pieces:
        async for piece in pieces:
            call.answer_tokens += piece.token is not None
            yield piece


def _head(call: Completion) -> dict[str, Any]:
    return {
        "id": call.id,
        "object": "text_completion",
        "created": call.created,
        "model": call.model.name,
    }


def _shown(
    call: Completion, index: int, text: str, logprobs: dict[str, Any] | None, finish: str | None
) -> dict[str, Any]:
    shown = logprobs if call.asked.logprobs is not None else None
    return {"index": index, "text": text, "logprobs": shown, "finish_reason": finish}


class _Logprobs:
    """The figures of one choice's tokens; offsets count characters from its beginning."""

    def __init__(self) -> None:
        self._offset = 0

    def add(self, pieces: list[Piece]) -> dict[str, Any]:
        """The figures of these pieces, which follow those before."""
        figures: dict[str, list[Any]] = {
            "tokens": [],
            "token_logprobs": [],
            "top_logprobs": [],
            "text_offset": [],
        }
        for piece in pieces:
            if piece.token is not None and piece.logprob is not None:
                figures["tokens"].append(piece.text)
                figures["token_logprobs"].append(finite(piece.logprob))
                figures["top_logprobs"].append({text: finite(value) for text, value in piece.top})
                figures["text_offset"].append(self._offset)
            self._offset += len(piece.text)
        return figures
