"""``POST /v1/chat/completions``.

``response_format`` json_object and json_schema are *checked, not enforced*: the model writes
freely, and its answer is sent only if it fits. If it does not, and was drawn with some chance in
it, one greedy answer is tried; then the request fails with 422 ``invalid_json_output``. (An answer
that was cut off by its length is sent as it is: ``finish_reason`` says so.) A stream with such a
format sends nothing before the check. Tokens of a discarded try are counted in the usage.

A model that is served with documents names those it was shown in ``afina.sources`` (in a stream: of
the first chunk).

Calls of tools are read from the answer (see ``tool_calls``); a call cannot be forced.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from afina.models.sampling import Piece, Sampling
from afina.serve.asked import ChatRequest, ResponseFormat
from afina.serve.body import parse, read_body
from afina.serve.drawing import chat_logprob, now, sampling, usage
from afina.serve.events import Events, EventStream, answer
from afina.serve.failure import ApiError
from afina.serve.house import House
from afina.serve.model import Grounds, ServedModel
from afina.serve.tool_calls import ToolCall, ToolCallReader
from afina.tasks.json_schema import Schema, SchemaError
from afina.types import Input


@dataclass(frozen=True)
class Delta:
    """What is added to one choice: text, a call, figures of tokens, the end."""

    text: str = ""
    call: ToolCall | None = None
    logprobs: tuple[dict[str, Any], ...] = ()
    finish: str | None = None


@dataclass
class Chat:
    """One request, understood. ``answer_tokens`` grows while its choices are made."""

    house: House
    asked: ChatRequest
    model: ServedModel
    given: Input
    wants_json: bool
    schema: Schema | None
    offered: frozenset[str]
    strict: Mapping[str, Schema]
    id: str = field(default_factory=lambda: f"chatcmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=now)
    prompt_tokens: int = 0
    answer_tokens: int = 0
    max_new_tokens: int = 0
    sources: tuple[str, ...] | None = None

    async def measure(self) -> None:
        """Look up what the model is shown, count the prompt, find the room for the answer.

        Raises ApiError if there is none.
        """
        wanted = self.asked.max_completion_tokens or self.asked.max_tokens
        if isinstance(self.model, Grounds):
            found = await self.house.worker.ground(self.model, self.given, wanted)
            self.given, self.sources = found.given, found.sources
        self.prompt_tokens = await self.house.worker.count(self.model, self.given)
        default = self.house.default_max_tokens
        self.max_new_tokens = self.house.room(
            self.model, self.prompt_tokens, wanted, default, "messages"
        )

    def told(self) -> dict[str, Any]:
        """What the OpenAI API has no field for: the documents that the model was shown."""
        return {} if self.sources is None else {"afina": {"sources": list(self.sources)}}

    def usage(self) -> dict[str, int]:
        """The figures so far."""
        return usage(self.prompt_tokens, self.answer_tokens)


async def chat(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, ChatRequest)
    call = understand(asked, house)
    return EventStream(_stream(call)) if asked.stream else await answer(request, _whole(call))


def understand(asked: ChatRequest, house: House) -> Chat:
    """The request in our own terms. Raises ApiError for what only looks right."""
    tools = [] if asked.tool_choice == "none" else asked.tools or []
    form = asked.response_format
    return Chat(
        house=house,
        asked=asked,
        model=house.model(asked.model, "chat"),
        given=Input(tuple(m.message for m in asked.messages), tuple(tool.given for tool in tools)),
        wants_json=form is not None and form.type != "text",
        schema=_schema_of(form),
        offered=frozenset(tool.function.name for tool in tools),
        strict={
            tool.function.name: _schema(
                tool.function.parameters or {}, f"tools.{index}.function.parameters"
            )
            for index, tool in enumerate(tools)
            if tool.function.strict
        },
    )


# ---------------------------------------------------------------------------- the two ways to send


async def _whole(call: Chat) -> dict[str, Any]:
    with call.house.worker.admitted():
        await call.measure()
        choices = [await _choice(call, index) for index in range(call.asked.n or 1)]
    return {
        "id": call.id,
        "object": "chat.completion",
        "created": call.created,
        "model": call.model.name,
        "choices": choices,
        "usage": call.usage(),
        **call.told(),
    }


async def _choice(call: Chat, index: int) -> dict[str, Any]:
    text: list[str] = []
    calls: list[dict[str, Any]] = []
    logprobs: list[dict[str, Any]] = []
    finish = ""
    async with aclosing(_deltas(call, index)) as deltas:
        async for delta in deltas:
            text.append(delta.text)
            logprobs += delta.logprobs
            calls += [delta.call.as_json()] if delta.call else []
            finish = delta.finish or finish
    content = "".join(text)
    message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
    if calls:
        message |= {"tool_calls": calls, "content": content or None}
    return {
        "index": index,
        "message": message,
        "logprobs": {"content": logprobs, "refusal": None} if call.asked.logprobs else None,
        "finish_reason": finish,
    }


async def _stream(call: Chat) -> Events:
    options = call.asked.stream_options
    with_usage = options is not None and bool(options.include_usage)
    head = {
        "id": call.id,
        "object": "chat.completion.chunk",
        "created": call.created,
        "model": call.model.name,
    }
    # Where the usage is asked for, every chunk has the field, and the last one its value.
    tail = {"usage": None} if with_usage else {}
    with call.house.worker.admitted():
        await call.measure()
        told = call.told()
        for index in range(call.asked.n or 1):
            async with aclosing(_deltas(call, index)) as deltas:
                async for choice in _chunks(call, index, deltas):
                    yield {**head, "choices": [choice], **tail, **told}
                    told = {}
    if with_usage:
        yield {**head, "choices": [], "usage": call.usage()}


async def _chunks(
    call: Chat, index: int, deltas: AsyncGenerator[Delta, None]
) -> AsyncGenerator[dict[str, Any], None]:
    calls = 0
    first: dict[str, Any] = {"role": "assistant", "content": ""}
    async for delta in deltas:
        if first:
            yield _chunk(index, first, (), None)
            first = {}
        if delta.text or delta.logprobs:
            shown = delta.logprobs if call.asked.logprobs else None
            yield _chunk(index, {"content": delta.text}, shown, None)
        if delta.call:
            yield _chunk(
                index, {"tool_calls": [{"index": calls, **delta.call.as_json()}]}, (), None
            )
            calls += 1
        if delta.finish:
            yield _chunk(index, {}, (), delta.finish)


def _chunk(
    index: int,
    delta: dict[str, Any],
    logprobs: tuple[dict[str, Any], ...] | None,
    finish: str | None,
) -> dict[str, Any]:
    shown = {"content": list(logprobs), "refusal": None} if logprobs else None
    return {"index": index, "delta": delta, "logprobs": shown, "finish_reason": finish}


# ---------------------------------------------------------------------------- one choice


async def _deltas(call: Chat, index: int) -> AsyncGenerator[Delta, None]:
    """One choice as it grows: text, calls of tools, and the end as the last one."""
    tools = ToolCallReader(call.offered, call.strict) if call.offered else None
    source = _checked(call, index) if call.wants_json else _pieces(call, _sampling(call, index))
    finish = ""
    async with aclosing(source) as pieces:
        async for piece in pieces:
            finish = piece.finish or finish
            figures = (chat_logprob(piece),) if _has_logprob(piece) else ()
            for delta in _read(tools, piece.text, figures):
                yield delta
    if tools is not None:
        for part in tools.close():
            yield _delta(part)
        finish = "tool_calls" if tools.calls and finish == "stop" else finish
    yield Delta(finish=finish)


def _read(
    tools: ToolCallReader | None, text: str, figures: tuple[dict[str, Any], ...]
) -> list[Delta]:
    if tools is None:
        return [Delta(text, logprobs=figures)] if text or figures else []
    # Text may be held back, the figures of its tokens are not: they go out as they come.
    parts = [_delta(part) for part in tools.feed(text)]
    return [Delta(logprobs=figures), *parts] if figures else parts


def _delta(part: str | ToolCall) -> Delta:
    return Delta(part) if isinstance(part, str) else Delta(call=part)


def _has_logprob(piece: Piece) -> bool:
    return piece.token is not None and piece.logprob is not None


async def _pieces(call: Chat, drawn: Sampling) -> AsyncGenerator[Piece, None]:
    """The pieces of one answer, counted."""
    async with call.house.worker.generation(call.model, call.given, drawn) as pieces:
        async for piece in pieces:
            call.answer_tokens += piece.token is not None
            yield piece


async def _checked(call: Chat, index: int) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer that is what ``response_format`` asks for. Raises ApiError 422."""
    drawn = _sampling(call, index)
    tries = [drawn]
    if drawn.temperature > 0:
        tries.append(replace(drawn, temperature=0.0, top_p=1.0))
    problem = ""
    for one_way in tries:
        pieces = [piece async for piece in _pieces(call, one_way)]
        found = await asyncio.to_thread(_problem, call, pieces)
        if found is None:
            for piece in pieces:
                yield piece
            return
        problem = found
    raise ApiError(
        422,
        f"the model's answer is not what response_format asks for: {problem}. The format is "
        "checked, not enforced: say in the messages what form you want",
        code="invalid_json_output",
        param="response_format",
    )


def _problem(call: Chat, pieces: list[Piece]) -> str | None:
    """What is wrong with an answer that should be JSON."""
    if pieces and pieces[-1].finish == "length":
        return None
    text = "".join(piece.text for piece in pieces)
    if call.offered:
        # Calls stand beside the answer; where there are only calls there is nothing to check.
        reader = ToolCallReader(call.offered, call.strict)
        parts = [*reader.feed(text), *reader.close()]
        text = "".join(part for part in parts if isinstance(part, str))
        if reader.calls and not text:
            return None
    try:
        value = parse(text.encode("utf-8", "surrogatepass"), "the answer")
        if call.schema is None:
            return None if isinstance(value, dict) else "the answer is no JSON object"
        return call.schema.problem(value)
    except (ApiError, SchemaError) as error:
        return str(error)


# ---------------------------------------------------------------------------- reading the request


def _sampling(call: Chat, index: int) -> Sampling:
    logprobs = (call.asked.top_logprobs or 0) if call.asked.logprobs else None
    return sampling(call.asked, index, call.max_new_tokens, logprobs)


def _schema_of(form: ResponseFormat | None) -> Schema | None:
    if form is None or form.json_schema is None or form.json_schema.schema_ is None:
        return None
    return _schema(form.json_schema.schema_, "response_format.json_schema.schema")


def _schema(given: Mapping[str, Any], param: str) -> Schema:
    try:
        return Schema(given)
    except SchemaError as error:
        raise ApiError(400, f"{param}: {error}", code="invalid_schema", param=param) from None
