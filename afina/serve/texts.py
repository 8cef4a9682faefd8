"""``POST /v1/embeddings``: texts go in, vectors come out. And what all routes of many texts share."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from afina.serve.asked_texts import EmbeddingRequest
from afina.serve.body import read_body
from afina.serve.events import answer
from afina.serve.failure import ApiError
from afina.serve.house import House
from afina.serve.model import ServedModel
from afina.types import Input

Result = TypeVar("Result")
Asked = TypeVar("Asked")

TEXTS_PER_TURN = 32
"""Texts that go through a model before the next request has its turn."""


async def embeddings(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, EmbeddingRequest)
    model = house.model(asked.model, "embedding")
    return await answer(request, _embeddings(house, model, asked))


async def _embeddings(house: House, model: ServedModel, asked: EmbeddingRequest) -> dict[str, Any]:
    with house.worker.admitted():
        tokens = await measured(house, model, asked.given, asked.param)
        use = asked.input_type or "query"
        vectors = await in_turns(house, asked.given, lambda texts: model.embed(texts, use))
    for vector in vectors:
        _check_size(vector, asked.dimensions)
        check_finite(vector)
    as_text = asked.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(vector) if as_text else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    return listed(model, data, tokens)


async def measured(
    house: House, model: ServedModel, texts: Sequence[Input | str], param: str
) -> int:
    """Tokens of all texts; ``param`` is where they came from, with ``{}`` for the place in a list.
    Raises ApiError for the first that the model cannot take whole."""
    counts = await house.worker.count_all(model, texts)
    for index, count in enumerate(counts):
        if count > model.context_length:
            place = param.format(index)
            raise ApiError(
                400,
                f"{model.name} takes {model.context_length} tokens in a text; {place} has {count}",
                code="context_length_exceeded",
                param=place,
            )
    return sum(counts)


async def in_turns(
    house: House, texts: Sequence[Asked], job: Callable[[Sequence[Asked]], list[Result]]
) -> list[Result]:
    """What a job makes of all texts, a few at a time, so that other requests have their turn."""
    done: list[Result] = []
    for begin in range(0, len(texts), TEXTS_PER_TURN):
        some = texts[begin : begin + TEXTS_PER_TURN]
        done += await house.worker.call(lambda some=some: job(some))  # type: ignore[misc]
    return done


def _check_size(vector: list[float], dimensions: int | None) -> None:
    if dimensions is not None and dimensions != len(vector):
        raise ApiError(
            400,
            f"dimensions: the model's vectors have {len(vector)}, and they cannot be shortened",
            code="unsupported_value",
            param="dimensions",
        )


def check_finite(vector: list[float]) -> None:
    """Raises ApiError if a number of a model's vector is none."""
    if not all(map(math.isfinite, vector)):
        raise ApiError(
            500,
            "the model gave a vector with numbers that are not finite",
            code="not_finite",
            headers={"x-should-retry": "false"},
        )


def _base64(vector: list[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def listed(model: ServedModel, data: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    """The list that the API answers with."""
    return {"object": "list", "model": model.name, "data": data, "usage": usage(tokens)}


def usage(tokens: int) -> dict[str, int]:
    """What the API says of tokens where nothing is written."""
    return {"prompt_tokens": tokens, "total_tokens": tokens}
