"""``/v1/classify``, ``/v1/regress``, ``/v1/tag``, ``/v1/answer``, ``/v1/score``: texts go in; labels,
numbers or stretches come out.

The OpenAI API has none of them. ``input`` is a text, a pair ``{"text": …, "text_b": …}`` where the model
learned from pairs (``afina.pairs`` of ``/v1/models`` says so), or a list of them. The answers::

    {"object": "list", "model": "soporte", "usage": {"prompt_tokens": 5, "total_tokens": 5},
     "data": [{"object": "classification", "index": 0, "labels": ["factura"],
               "probabilities": [{"label": "factura", "probability": 0.93}, …]}]}

    "data": [{"object": "number", "index": 0, "number": 3.7}]

    "data": [{"object": "tags", "index": 0, "spans": [
        {"start": 4, "end": 10, "label": "LOC", "text": "Madrid", "score": 0.98}, …]}]

    "data": [{"object": "answer", "index": 0, "answer": "Madrid", "start": 4, "end": 10, "score": 0.71,
              "margin": 5.2}]

``/v1/answer`` takes ``{"question": …, "context": …}`` or a list of them; a context may be longer than
the model reads at once. ``answer`` is empty and ``start`` null where the text has none; ``margin`` says
by how much (in logits) the best stretch outscores "no answer".

``/v1/score`` takes ``{"messages": […]}``, a conversation that ends in the answer to judge, or a list of
them::

    "data": [{"object": "score", "index": 0, "score": 1.42}]

``start`` and ``end`` count characters (Unicode code points); the end is not part of the stretch, and
``score`` is the least probability of its words. ``labels`` is what the model says: one label, or any
number of them where several may hold.
``probabilities`` come in falling order. ``cut_tokens`` says how many tokens of a text were left out,
where the model was trained to read long ones cut.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from afina.serve.asked_texts import (
    AnswerRequest,
    ClassifyRequest,
    JudgedRequest,
    ScoreRequest,
    TagRequest,
)
from afina.serve.body import read_body
from afina.serve.events import answer
from afina.serve.failure import ApiError
from afina.serve.house import House
from afina.serve.model import ServedModel
from afina.serve.texts import in_turns, listed, measured
from afina.types import Answer


async def classify(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, ClassifyRequest)
    model = house.model(asked.model, "classify")

    def shown(said: Answer) -> dict[str, Any]:
        return {
            "object": "classification",
            "labels": list(said.labels),
            "probabilities": _ranked(said, asked.top_k),
        }

    return await answer(request, _judged(house, model, asked, shown))


async def regress(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, JudgedRequest)
    model = house.model(asked.model, "regress")
    return await answer(request, _judged(house, model, asked, _number))


async def score(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, ScoreRequest)
    model = house.model(asked.model, "score")
    return await answer(
        request,
        _judged(house, model, asked, lambda s: {"object": "score", "score": _finite(s)}),
    )


async def tag(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, TagRequest)
    model = house.model(asked.model, "tag")
    return await answer(
        request, _judged(house, model, asked, lambda s: {"object": "tags", **s.facts()})
    )


async def find_answer(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, AnswerRequest)
    model = house.model(asked.model, "answer")
    return await answer(
        request,
        _judged(house, model, asked, lambda s: {"object": "answer", "answer": s.text, **s.facts()}),
    )


async def _judged(
    house: House,
    model: ServedModel,
    asked: JudgedRequest | AnswerRequest | ScoreRequest,
    shown: Callable[[Answer], dict[str, Any]],
) -> dict[str, Any]:
    inputs = asked.inputs
    with house.worker.admitted():
        if isinstance(asked, AnswerRequest):  # a long text is read in windows
            tokens = sum(await house.worker.count_all(model, inputs))
        else:
            tokens = await measured(house, model, inputs, asked.param)
        answers = await in_turns(house, inputs, model.predict)
    data = [
        {**shown(said), "index": i, **({"cut_tokens": said.cut_tokens} if said.cut_tokens else {})}
        for i, said in enumerate(answers)
    ]
    return listed(model, data, tokens)


def _number(said: Answer) -> dict[str, Any]:
    return {"object": "number", "number": _finite(said)}


def _finite(said: Answer) -> float:
    if said.number is None or not math.isfinite(said.number):
        raise ApiError(
            500,
            "the model gave a number that is not finite",
            code="not_finite",
            headers={"x-should-retry": "false"},
        )
    return said.number


def _ranked(said: Answer, top_k: int | None) -> list[dict[str, Any]]:
    ranked = sorted((said.probabilities or {}).items(), key=lambda pair: -pair[1])
    return [{"label": label, "probability": float(value)} for label, value in ranked[:top_k]]
