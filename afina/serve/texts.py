"""``POST /v1/embeddings`` and ``POST /v1/classify``: texts go in, vectors or labels come out.

The answer of ``/v1/classify``, which the OpenAI API does not have::

    {"object": "list", "model": "soporte", "usage": {"prompt_tokens": 5, "total_tokens": 5},
     "data": [{"object": "classification", "index": 0, "labels": ["factura"],
               "probabilities": [{"label": "factura", "probability": 0.93}, …]}]}

``labels`` is what the model says: one label, or any number of them where several may hold.
``probabilities`` come in falling order. ``cut_tokens`` says how many tokens of a text were left out,
where the model was trained to read long ones cut.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from afina.serve.asked import ClassifyRequest, EmbeddingRequest, TextsRequest
from afina.serve.body import read_body
from afina.serve.events import answer
from afina.serve.failure import ApiError
from afina.serve.house import House
from afina.serve.model import ServedModel
from afina.types import Answer, Input, Message

Result = TypeVar("Result")

TEXTS_PER_TURN = 32
"""Texts that go through a model before the next request has its turn."""


async def embeddings(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, EmbeddingRequest)
    model = house.model(asked.model, "embedding")
    return await answer(request, _embeddings(house, model, asked))


async def classify(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, ClassifyRequest)
    model = house.model(asked.model, "classify")
    return await answer(request, _labels(house, model, asked))


async def _embeddings(house: House, model: ServedModel, asked: EmbeddingRequest) -> dict[str, Any]:
    with house.worker.admitted():
        tokens = await _measured(house, model, asked, asked.texts)
        vectors = await _in_turns(house, asked.texts, model.embed)
    for vector in vectors:
        _check_vector(vector, asked.dimensions)
    as_text = asked.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(vector) if as_text else vector,
        }
        for index, vector in enumerate(vectors)
    ]
    return _list(model, data, tokens)


async def _labels(house: House, model: ServedModel, asked: ClassifyRequest) -> dict[str, Any]:
    with house.worker.admitted():
        given = [Input((Message("user", text),)) for text in asked.texts]
        tokens = await _measured(house, model, asked, given)
        answers = await _in_turns(house, asked.texts, model.classify)
    data = [
        {
            "object": "classification",
            "index": index,
            "labels": list(said.labels),
            "probabilities": _ranked(said, asked.top_k),
            **({"cut_tokens": said.cut_tokens} if said.cut_tokens else {}),
        }
        for index, said in enumerate(answers)
    ]
    return _list(model, data, tokens)


async def _measured(
    house: House, model: ServedModel, asked: TextsRequest, given: Sequence[Input | str]
) -> int:
    """Tokens of all texts as they are read. Raises ApiError for the first that is too long."""
    counts = await house.worker.count_all(model, given)
    for index, count in enumerate(counts):
        if count > model.context_length:
            param = "input" if isinstance(asked.input, str) else f"input.{index}"
            raise ApiError(
                400,
                f"{model.name} takes {model.context_length} tokens in a text; {param} has {count}",
                code="context_length_exceeded",
                param=param,
            )
    return sum(counts)


async def _in_turns(
    house: House, texts: tuple[str, ...], job: Callable[[tuple[str, ...]], list[Result]]
) -> list[Result]:
    done: list[Result] = []
    for begin in range(0, len(texts), TEXTS_PER_TURN):
        some = texts[begin : begin + TEXTS_PER_TURN]
        done += await house.worker.call(lambda some=some: job(some))  # type: ignore[misc]
    return done


def _check_vector(vector: list[float], dimensions: int | None) -> None:
    if dimensions is not None and dimensions != len(vector):
        raise ApiError(
            400,
            f"dimensions: the model's vectors have {len(vector)}, and they cannot be shortened",
            code="unsupported_value",
            param="dimensions",
        )
    if not all(map(math.isfinite, vector)):
        raise ApiError(
            500,
            "the model gave a vector with numbers that are not finite",
            code="not_finite",
            headers={"x-should-retry": "false"},
        )


def _base64(vector: list[float]) -> str:
    return base64.b64encode(np.asarray(vector, dtype="<f4").tobytes()).decode("ascii")


def _ranked(said: Answer, top_k: int | None) -> list[dict[str, Any]]:
    ranked = sorted((said.probabilities or {}).items(), key=lambda pair: -pair[1])
    return [{"label": label, "probability": float(value)} for label, value in ranked[:top_k]]


def _list(model: ServedModel, data: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    figures = {"prompt_tokens": tokens, "total_tokens": tokens}
    return {"object": "list", "model": model.name, "data": data, "usage": figures}
