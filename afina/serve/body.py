"""Reads the body of a request strictly: JSON of a bounded size and depth, into a checked shape.

What JSON itself would let pass and a model could stumble over is refused here: NaN and infinity,
the same key twice, half a surrogate pair, a hundred thousand brackets.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
from typing import Any, ClassVar, TypeVar

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect

from afina.errors import nearest
from afina.serve.failure import ApiError

MAX_BODY_BYTES = 10_000_000
MAX_DISCARDED_BYTES = 100_000_000
MAX_DEPTH = 64
MAX_SECONDS = 30.0
"""For the whole body to arrive."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_BOUNDS = frozenset(
    {
        "finite_number",
        "greater_than",
        "greater_than_equal",
        "int_parsing_size",
        "less_than",
        "less_than_equal",
        "string_too_long",
        "string_too_short",
        "too_long",
        "too_short",
    }
)


class Body(BaseModel):
    """A request's fields. Types are not converted; a field that is not known is an error.

    ``ignored`` lists fields of the OpenAI API that cannot change the answer: they are accepted and
    not used. ``refused`` lists fields that would change it, each with why it is not taken.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    ignored: ClassVar[frozenset[str]] = frozenset()
    refused: ClassVar[dict[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _leave_out_what_is_ignored(cls, value: Any) -> Any:
        if isinstance(value, dict) and cls.ignored:
            return {key: field for key, field in value.items() if key not in cls.ignored}
        return value

    def contradiction(self) -> tuple[str, str] | None:
        """The field that does not go with the others, and why; None if all go together."""
        return None


Shape = TypeVar("Shape", bound=Body)


async def read_body(request: Request, shape: type[Shape]) -> Shape:
    """The request's body as ``shape``.

    Raises ApiError: 415 (not JSON by its header, or compressed), 413 (too large), 408 (too slow),
    400 (not JSON, an unknown field, a wrong type), 422 (a value out of its bounds).
    """
    _check_headers(request)
    try:
        async with asyncio.timeout(MAX_SECONDS):
            data = await _bytes(request)
    except TimeoutError:
        raise ApiError(
            408,
            f"the body did not arrive within {MAX_SECONDS:g} s",
            code="body_too_slow",
            headers={"connection": "close"},
        ) from None
    except ClientDisconnect:
        raise ApiError(
            400, "the connection ended within the body", code="incomplete_body"
        ) from None
    return check(parse(data), shape)


def parse(data: bytes, what: str = "the body") -> Any:
    """Strict JSON. Raises ApiError 400, or 422 for a number that no double can hold.

    ``what`` is how the errors call the text.
    """
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except UnicodeDecodeError as error:
        raise ApiError(
            400, f"{what} is not UTF-8 (byte {error.start})", code="invalid_json"
        ) from None
    except json.JSONDecodeError as error:
        message = f"{what} is not JSON: {error.msg} (line {error.lineno}, column {error.colno})"
        raise ApiError(400, message, code="invalid_json") from None
    except (RecursionError, ValueError) as error:
        reason = str(error) if type(error) is ValueError else "it is nested too deeply"
        raise ApiError(400, f"{what} cannot be read: {reason}", code="invalid_json") from None
    _walk(value, what)
    return value


def check(value: Any, shape: type[Shape]) -> Shape:
    """The value as ``shape``. Raises ApiError that names the first wrong field."""
    if not isinstance(value, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_type")
    fields = dict(value)
    for key in fields.keys() & shape.refused.keys():
        if fields.pop(key) is not None:
            raise ApiError(400, f"{key}: {shape.refused[key]}", code="unsupported_field", param=key)
    try:
        asked = shape.model_validate(fields)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_input=False)
        raise _problem(problems, fields, shape) from None
    if wrong := asked.contradiction():
        param, why = wrong
        raise ApiError(400, f"{param}: {why}", code="invalid_value", param=param)
    return asked


# ---------------------------------------------------------------------------- within


def _check_headers(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise ApiError(
            415,
            f"content-type is {kind or 'missing'}; send application/json",
            code="unsupported_media_type",
        )
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise ApiError(
            415,
            f"content-encoding {coding} is not taken; send the body as it is",
            code="unsupported_media_type",
        )


async def _bytes(request: Request) -> bytes:
    """The body. What is too large is read to its end and forgotten, within reason: a client that
    is cut off while it sends sees a broken connection and not the answer.
    """
    stated = request.headers.get("content-length", "0")
    if stated.isdecimal() and int(stated) > MAX_DISCARDED_BYTES:
        raise _too_large({"connection": "close"})
    data = bytearray()
    discarded = 0
    async for chunk in request.stream():
        if discarded or len(data) + len(chunk) > MAX_BODY_BYTES:
            discarded += len(data) + len(chunk)
            data.clear()
            if discarded > MAX_DISCARDED_BYTES:
                raise _too_large({"connection": "close"})
        else:
            data += chunk
    if discarded:
        raise _too_large({})
    return bytes(data)


def _too_large(headers: dict[str, str]) -> ApiError:
    message = f"the body is larger than {MAX_BODY_BYTES:,} bytes"
    return ApiError(413, message, code="body_too_large", headers=headers)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    done = dict(pairs)
    if len(done) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} is there twice in one object")
    return done


def _walk(value: Any, what: str) -> None:
    """Refuse numbers that are not finite, broken characters, and great depth, wherever they are."""
    rest: list[tuple[str, int, Any]] = [("", 0, value)]
    while rest:
        path, depth, at = rest.pop()
        if depth > MAX_DEPTH:
            raise ApiError(
                400,
                f"{what} is nested more than {MAX_DEPTH} deep",
                code="invalid_json",
                param=path.split(".")[0] or None,
            )
        if isinstance(at, float) and not math.isfinite(at):
            raise ApiError(
                422,
                f"{path or what}: must be a finite number",
                code="out_of_bounds",
                param=path or None,
            )
        if isinstance(at, str) and not is_text(at):
            raise ApiError(
                400,
                f"{path or what}: holds half a surrogate pair, which is no character",
                code="invalid_json",
                param=path or None,
            )
        if isinstance(at, dict):
            for key, inner in at.items():
                if not is_text(key):
                    raise ApiError(400, f"a key in {path or what} is no text", code="invalid_json")
                rest.append((f"{path}.{key}" if path else key, depth + 1, inner))
        elif isinstance(at, list):
            rest += [(f"{path}.{i}", depth + 1, inner) for i, inner in enumerate(at)]


def is_text(text: str) -> bool:
    """Whether the text is one that UTF-8 can write."""
    return text.isascii() or not _SURROGATE.search(text)


def _problem(problems: list[ErrorDetails], fields: dict[str, Any], shape: type[Body]) -> ApiError:
    """The first problem, an unknown field before all others: it is often the cause of them."""
    unknown = [p for p in problems if p["type"] == "extra_forbidden"]
    first = unknown[0] if unknown else _deepest(problems)
    param = _param(first, fields)
    if first["type"] == "extra_forbidden":
        known = shape.model_fields if len(first["loc"]) == 1 else ()
        hint = f"; {nearest(param, known)}" if known else ""
        return ApiError(
            400, f"{param}: this field is not known{hint}", code="unknown_field", param=param
        )
    if first["type"] == "missing":
        return ApiError(400, f"{param}: this field is missing", code="missing_field", param=param)
    message = f"{param}: {_sentence(first)}"
    if first["type"] in _BOUNDS:
        return ApiError(422, message, code="out_of_bounds", param=param)
    return ApiError(400, message, code="invalid_value", param=param)


def _deepest(problems: list[ErrorDetails]) -> ErrorDetails:
    """Of the branches of a union the one that fitted furthest; else the first problem."""
    first = problems[0]
    same = [p for p in problems if p["loc"][0] == first["loc"][0]]
    bounds = [p for p in same if p["type"] in _BOUNDS]
    return bounds[0] if bounds else max(same, key=lambda p: len(p["loc"]))


def _param(problem: ErrorDetails, fields: dict[str, Any]) -> str:
    """The path of keys that are really in the body: names of union branches are left out."""
    at: Any = fields
    path: list[str] = []
    last = len(problem["loc"]) - 1
    for index, key in enumerate(problem["loc"]):
        inside = (isinstance(at, dict) and key in at) or (
            isinstance(at, list) and isinstance(key, int) and key < len(at)
        )
        if inside:
            at = at[key]
        elif not (isinstance(at, dict) and index == last and problem["type"] == "missing"):
            continue
        path.append(str(key))
    return ".".join(path)


def _sentence(problem: ErrorDetails) -> str:
    text = problem["msg"].removeprefix("Value error, ").replace(" after validation", "")
    return text[:1].lower() + text[1:]
