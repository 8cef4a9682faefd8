"""``POST /v1/rerank``: a query and texts go in, the texts come out in order, the nearest one first.

The OpenAI API has none; fields and answer are those of the servers that do (Jina, vLLM)::

    {"model": "menus", "usage": {"prompt_tokens": 9, "total_tokens": 9},
     "results": [{"index": 3, "relevance_score": 0.93, "document": {"text": "Show Left Sidebar"}}, …]}

The score is the cosine of the vectors, so every model that has vectors can be asked; one that was
trained for it (``task: embed``, ``task: rank``) gives the best order. Of equal ones the earlier text is
first. The texts are worked anew in each request: for many thousands, keep their vectors
(``/v1/embeddings``).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi import Request
from fastapi.responses import Response

from afina.serve.asked_texts import RerankRequest
from afina.serve.body import read_body
from afina.serve.events import answer
from afina.serve.house import House
from afina.serve.model import ServedModel
from afina.serve.texts import check_finite, in_turns, measured, usage


async def rerank(request: Request, house: House) -> Response:
    """The route."""
    asked = await read_body(request, RerankRequest)
    model = house.model(asked.model, "embedding")
    return await answer(request, _ranked(house, model, asked))


async def _ranked(house: House, model: ServedModel, asked: RerankRequest) -> dict[str, Any]:
    with house.worker.admitted():
        tokens = await measured(house, model, [asked.query], "query")
        tokens += await measured(house, model, asked.documents, "documents.{}")
        query = await in_turns(house, [asked.query], lambda texts: model.embed(texts, "query"))
        texts = await in_turns(house, asked.documents, lambda some: model.embed(some, "passage"))
    for vector in (*query, *texts):
        check_finite(vector)
    scores = _unit(np.asarray(texts)) @ _unit(np.asarray(query))[0]
    order = np.argsort(-scores, kind="stable")[: asked.top_n].tolist()
    shown = asked.return_documents is not False
    return {
        "model": model.name,
        "results": [
            {"index": i, "relevance_score": float(scores[i])}
            | ({"document": {"text": asked.documents[i]}} if shown else {})
            for i in order
        ],
        "usage": usage(tokens),
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows [N, D] brought to length 1; one of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: np.ndarray = vectors / np.maximum(lengths, 1e-12)
    return unit
