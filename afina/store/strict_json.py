"""JSON as Afina writes it: finite numbers, words as keys, no key twice, nothing converted unasked.

A number that is not finite has no form in JSON and is refused, never written as null: whoever
means it passes a string. Tuples become lists and paths strings; everything else must be plain.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any, NoReturn

from afina.store.disk import fault


def dumps(value: Any, where: str, *, indent: int | None = None) -> str:
    """The JSON text of ``value``, without a newline at its end.

    ``where`` names the file in the error for a value that cannot be written as it is.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    return json.dumps(
        plain(value, where),
        ensure_ascii=False,
        allow_nan=False,
        indent=indent,
        separators=separators,
    )


def plain(value: Any, where: str, key: str = "") -> Any:
    """``value`` in JSON's own types. Raises AfinaError naming file and key."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise fault(f"{key or 'the value'} is {value}, and JSON has no such number", where)
        return float(value)
    if isinstance(value, str):
        return _text(value, where, key)
    if isinstance(value, PurePath):
        return _text(str(value), where, key)
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                place = f"in {key}: " if key else ""
                raise fault(f"{place}the key {name!r} is not a word", where)
        return {
            _text(k, where, key): plain(v, where, f"{key}.{k}" if key else k)
            for k, v in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [plain(item, where, f"{key}[{i}]") for i, item in enumerate(value)]
    raise fault(f"{key or 'the value'} is of type {type(value).__name__}, not plain data", where)


def loads(text: str) -> Any:
    """The value of a strict JSON text.

    Raises ValueError (json.JSONDecodeError among them) for anything else: NaN, Infinity, a key
    that stands twice.
    """
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_unique)


def _text(text: str, where: str, key: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        what = f"{key or 'the value'} has half a character (code {ord(text[error.start]):#x})"
        raise fault(what, where) from None
    return str(text)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} stands twice")
    return value
