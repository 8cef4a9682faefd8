"""The HTTP application: which address is answered by what."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import PurePath
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from afina.serve import chat, completions, failure, judged, rerank, texts
from afina.serve.address import is_loopback
from afina.serve.gate import Gate
from afina.serve.house import House
from afina.serve.model import KINDS, ServedModel
from afina.serve.page import Page

Route = Callable[[Request, House], Awaitable[Response]]
ANSWERS: Mapping[str, Route] = {
    "/v1/chat/completions": chat.chat,
    "/v1/completions": completions.completions,
    "/v1/embeddings": texts.embeddings,
    "/v1/rerank": rerank.rerank,
    "/v1/classify": judged.classify,
    "/v1/regress": judged.regress,
    "/v1/answer": judged.find_answer,
    "/v1/score": judged.score,
    "/v1/tag": judged.tag,
}
"""What is asked by POST, and who answers."""
MAX_WAITING = 64
DEFAULT_MAX_TOKENS = 1024


def create_app(
    models: Sequence[ServedModel],
    *,
    api_key: str | None,
    host: str = "127.0.0.1",
    allowed_hosts: Iterable[str] = (),
    max_waiting: int = MAX_WAITING,
    default_max_tokens: int = DEFAULT_MAX_TOKENS,
) -> FastAPI:
    """The application for these models.

    ``host`` is where it will listen: on an address of this machine only, requests must name this
    machine (or one of ``allowed_hosts``) in their Host header; elsewhere any name passes, unless
    ``allowed_hosts`` says which. ``max_waiting``: requests answered or waiting at one time; more
    get 429. ``default_max_tokens``: the longest chat answer where the request states no limit.
    Raises RequestError if there is no model, or two have one name.
    """
    house = House(models, max_waiting=max_waiting, default_max_tokens=default_max_tokens)
    page = Page()
    named = tuple(allowed_hosts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        house.worker.close()

    app = FastAPI(
        title="Afina",
        lifespan=lifespan,
        redirect_slashes=False,
        # The pages that FastAPI makes of these load their scripts from another site.
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(
        Gate,
        api_key=api_key,
        hosts=named if named or is_loopback(host) else None,
        page=page,
    )
    failure.install(app)
    app.state.house = house
    _add_models(app, house)
    _add_answers(app, house)
    _add_page(app, page)
    return app


def _add_page(app: FastAPI, page: Page) -> None:
    @app.get("/")
    async def _page() -> Response:
        return page.response()

    @app.get("/health")
    async def _health() -> dict[str, str]:
        return {"status": "ok"}


def _add_answers(app: FastAPI, house: House) -> None:
    for path, route in ANSWERS.items():
        app.post(path)(_of_house(route, house))


def _of_house(route: Route, house: House) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await route(request, house)

    return answer


def _add_models(app: FastAPI, house: House) -> None:
    @app.get("/v1/models")
    async def _models() -> dict[str, Any]:
        return {"object": "list", "data": [_described(m) for m in house.models.values()]}

    # A name may hold slashes; the client sends them as %2F, which are slashes again by now.
    @app.get("/v1/models/{name:path}")
    async def _model(name: str) -> dict[str, Any]:
        return _described(house.model(name))


def _described(model: ServedModel) -> dict[str, Any]:
    """The model as the API lists it; ``afina`` holds what the OpenAI API has no field for."""
    # A base may be a folder; where it lies is nobody's business.
    base = PurePath(model.base).name if os.path.isabs(model.base) else model.base
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "afina",
        "afina": {
            "base": base,
            "kinds": [kind for kind in KINDS if kind in model.kinds],
            "context_length": model.context_length,
            **({} if model.pairs is None else {"pairs": model.pairs}),
        },
    }
