"""What a client is told when something is wrong: one shape, the right status, nothing private.

The shape is that of the OpenAI API, ``{"error": {"message", "type", "param", "code"}}``; its client
turns the status into an exception. It retries 408, 409, 429 and everything from 500, so a user's
mistake gets none of these.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from afina.errors import AfinaError, RequestError

LOG = logging.getLogger("afina.serve")
REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="-")
"""Of the request that is being answered; its answer carries it, and so does a line in the log."""

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
_PATH = re.compile(r"(?:^|[\s'\"(=:])(?:/[^\s/'\":]+){2,}|[A-Za-z]:\\")


class ApiError(Exception):
    """An answer other than success. ``param`` names the field, ``code`` is for programs."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        """The body."""
        kind = _KINDS.get(self.status, "server_error" if self.status >= 500 else _KINDS[400])
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}

    def response(self) -> JSONResponse:
        """The whole answer."""
        return JSONResponse(self.as_json(), self.status, self.headers)


def from_model(error: BaseException) -> ApiError:
    """What a client is told when a model raised this. Anything unexpected goes to the log."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestError) and not _PATH.search(error.what + error.do):
        remedy = f"; {error.do}" if error.do else ""
        return ApiError(400, f"{error.what}{remedy}", code="invalid_request")
    LOG.error("request %s: a model failed", REQUEST_ID.get(), exc_info=error)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return ApiError(
            503,
            "there is not enough memory for this request now; send a shorter one, or try later",
            code="out_of_memory",
            headers={"retry-after": "10"},
        )
    where = "the machine" if isinstance(error, AfinaError) else "the model"
    return _unexpected(f"{where} failed while it answered")


def _unexpected(what: str) -> ApiError:
    # Asking again would fail again: the client is told not to.
    return ApiError(
        500,
        f"{what}; the server's log has the reason under this answer's x-request-id",
        code="internal_error",
        headers={"x-should-retry": "false"},
    )


async def _api_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ApiError)
    return error.response()


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    known = {
        404: ("there is nothing at this address", "not_found"),
        405: (f"this address does not take {request.method}", "method_not_allowed"),
    }
    message, code = known.get(error.status_code, (str(error.detail), "invalid_request"))
    return ApiError(error.status_code, message, code=code, headers=error.headers).response()


async def _not_ours(request: Request, error: Exception) -> JSONResponse:
    # This answer is made outside of the gate, so it sets the id itself.
    request_id = str(request.scope.get("afina.request_id", "-"))
    LOG.error("request %s: the server failed", request_id, exc_info=error)
    answer = _unexpected("the server failed").response()
    answer.headers["x-request-id"] = request_id
    return answer


def install(app: FastAPI) -> None:
    """Make every error of the application take this shape."""
    app.add_exception_handler(ApiError, _api_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _not_ours)
    app.add_exception_handler(Exception, _not_ours)
