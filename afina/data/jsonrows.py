"""JSON, strictly: a key given twice, NaN, lone surrogates and deep nesting are errors with a place.

Reads JSONL (one object a line, never more than a line in memory) and JSON arrays of objects.
Follows RFC 8259 and I-JSON (RFC 7493) where the standard library is more tolerant.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from afina.data.lines import lines, text_of
from afina.data.rows import MAX_DEPTH, Notes, Problem, Row, kind, place
from afina.data.sources import opened
from afina.data.squad import is_squad, rows_of_squad
from afina.errors import DataError

MAX_DIGITS = 40
_ONE_A_LINE = "write each object on one line (jq -c . FILE), or all of them in one JSON array"


class StrictError(ValueError):
    """Text that is no strict JSON: what, at which character, and what to do."""

    def __init__(self, what: str, at: int, do: str = "", *, at_end: bool = False) -> None:
        super().__init__(what)
        self.what = what
        self.at = at
        self.do = do
        self.at_end = at_end


class _RefusedError(ValueError):
    """Raised inside the decoder, which does not tell where it is; ``mark`` is searched for."""

    def __init__(self, what: str, mark: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.mark = mark
        self.do = do


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                quoted = json.dumps(key, ensure_ascii=False)
                raise _RefusedError(f"the key {quoted} stands twice", quoted, "remove one of them")
            seen.add(key)
    return value


def _constant(word: str) -> Any:
    raise _RefusedError(f"{word} is not JSON", word, "write a number, a text or null")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise _RefusedError(
            f"a number of {len(digits)} digits", digits, f"at most {MAX_DIGITS}, or quote it"
        )
    return int(digits)


def _decimal(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise _RefusedError(f"{digits[:30]} is too large a number", digits, "quote it, or mend it")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_constant, parse_int=_integer, parse_float=_decimal
)


def parse(text: str, start: int = 0) -> tuple[Any, int]:
    """The JSON value that begins at ``start``, and where it ends. Raises StrictError."""
    try:
        value, end = _DECODER.raw_decode(text, start)
    except json.JSONDecodeError as error:
        raise _explained(text, error) from None
    except _RefusedError as error:
        at = (
            text.rfind(error.mark, start) if "twice" in error.what else text.find(error.mark, start)
        )
        raise StrictError(error.what, max(at, start), error.do) from None
    except RecursionError:
        raise _too_deep(start) from None
    part = text[start:end]
    if part.count("{") + part.count("[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise _too_deep(start)
    if "\\u" in part and (fault := _fault(value)):
        raise StrictError(*fault[:1], start + max(part.find(fault[1]), 0), fault[2])
    return value, end


def parse_all(text: str) -> Any:
    """The one JSON value of a text. Raises StrictError, also for anything after it."""
    begin = len(text) - len(text.lstrip(" \t\r\n"))
    value, end = parse(text, begin)
    rest = text[end:].strip(" \t\r\n")
    if rest:
        at = end + text[end:].find(rest[0])
        what = "more than one value on the line" if rest[0] in "{[" else "text after the value"
        raise StrictError(
            f"{what} (at {rest[0]!r})", at, "one object on each line, nothing after it"
        )
    return value


def _too_deep(at: int) -> StrictError:
    return StrictError(f"nested deeper than {MAX_DEPTH} levels", at, "flatten the row")


def _depth(value: Any) -> int:
    deepest, open_values = 0, [(value, 1)]
    while open_values:
        here, depth = open_values.pop()
        deepest = max(deepest, depth)
        if isinstance(here, dict | list):
            inner = here.values() if isinstance(here, dict) else here
            open_values += [(v, depth + 1) for v in inner]
    return deepest - 1


def _fault(value: Any) -> tuple[str, str, str] | None:
    """A lone surrogate or a NUL in any text: sentence, what to search for, remedy."""
    open_values: list[tuple[str, Any]] = [("", value)]
    while open_values:
        path, here = open_values.pop()
        if isinstance(here, dict):
            for key, inner in here.items():
                open_values += [(f"{path}.{key}".lstrip("."), inner), (f"key {key!r}", key)]
        elif isinstance(here, list):
            open_values += [(f"{path}[{i}]", inner) for i, inner in enumerate(here)]
        elif isinstance(here, str):
            if "\0" in here:
                return f"a NUL character in {path}", "\\u0000", "remove it"
            lone = next((c for c in here if "\ud800" <= c <= "\udfff"), None)
            if lone is not None:
                return (
                    f"a lone surrogate \\u{ord(lone):04x} in {path}: half of a character",
                    f"\\u{ord(lone):04x}",
                    "export the row again; the other half is missing",
                )
    return None


_PYTHON = {"None": "null", "True": "true", "False": "false", "nan": "null", "inf": "a number"}


def _explained(text: str, error: json.JSONDecodeError) -> StrictError:
    at, message = error.pos, error.msg
    here = text[at : at + 1]
    rest = text[at:].strip()
    if message.startswith("Unterminated string"):
        return StrictError("the line ends inside a text", at, "mend or remove the row", at_end=True)
    if not rest:
        return StrictError("the value is not complete", at, "mend or remove the row", at_end=True)
    word = next((w for w in _PYTHON if rest.startswith(w)), None)
    if word:
        return StrictError(f"{word} is Python, not JSON", at, f"write {_PYTHON[word]}")
    if here == "'":
        return StrictError("single quotes (') are not JSON", at, 'write double quotes (")')
    before = text[:at].rstrip()
    if here in "}]" and before.endswith(","):
        return StrictError(f"a comma before {here}", len(before) - 1, "remove the trailing comma")
    if message.startswith("Illegal trailing comma"):
        return StrictError("a comma with nothing after it", at, "remove the trailing comma")
    if message.startswith("Invalid control character"):
        return StrictError(
            f"a raw control character {here!r} in a text", at, r"write it as \n, \t or \uXXXX"
        )
    return StrictError(f"{message.lower()} at {here!r}", at, "mend or remove the row")


# ---------------------------------------------------------------------------- JSONL


def read_jsonl(
    path: Path, name: str, encoding: str | None, notes: Notes
) -> Iterator[Row | Problem]:
    """One object a line; blank lines are passed over. A JSON array is read as one, and noted."""
    with opened(path, name) as stream:
        row = 0
        pending: tuple[int, str] | None = None
        for number, text in lines(stream, name, encoding, notes):
            if not text.strip():
                continue
            if pending is None and row == 0 and text.lstrip()[0] == "[":
                break
            if pending is not None:
                row += 1
                yield _line(name, row, *pending, after=text)
            pending = (number, text)
        else:
            if pending is not None:
                yield _line(name, row + 1, *pending, after=None)
            return
    notes.add(f"{name}: is one JSON array, not one object a line; it was read as an array")
    yield from read_json(path, name, encoding, notes)


def _as_row(value: Any) -> Any:
    """spaCy's ``[text, {"entities": …}]`` as an object; everything else as it is."""
    pair = isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)
    if pair and isinstance(value[1], dict) and "entities" in value[1]:
        return {"text": value[0], **value[1]}
    return value


def _line(name: str, row: int, number: int, text: str, after: str | None) -> Row | Problem:
    try:
        value = parse_all(text)
    except StrictError as error:
        where = f"{place(name, row, number)}, column {error.at + 1}"
        if error.at_end and after is None:
            inside = "a text" if "text" in error.what else "an object"
            return Problem(
                where,
                f"line {number} is incomplete: the file ends inside {inside}",
                "the file was cut off: copy or download it again",
            )
        if error.at_end and after is not None and _goes_on(text, after):
            raise DataError(
                f"looks like pretty-printed JSON from line {number}",
                where=f"{name}: line {number}",
                do=_ONE_A_LINE,
            ) from None
        return Problem(where, error.what, error.do)
    value = _as_row(value)
    if not isinstance(value, Mapping):
        return Problem(
            place(name, row, number), f"{kind(value)} where an object is expected", _ONE_A_LINE
        )
    return Row(value, place(name, row, number))


def _goes_on(text: str, after: str) -> bool:
    """Whether an object that is open at the end of a line seems to go on in the next."""
    return text.rstrip().endswith(("{", "[", ",", ":")) and not after.lstrip().startswith('{"')


# ---------------------------------------------------------------------------- JSON


def read_json(path: Path, name: str, encoding: str | None, notes: Notes) -> Iterator[Row | Problem]:
    """A JSON array of objects, or a file of SQuAD. JSONL under this name is read as such, and noted."""
    with opened(path, name) as stream:
        text = text_of(stream, name, encoding, notes)
    begin = len(text) - len(text.lstrip(" \t\r\n"))
    if begin == len(text):
        return
    if text[begin] == "[":
        yield from _array(text, begin, name)
        return
    first_line = text[begin:].split("\n", 1)[0]
    try:
        parse_all(first_line)
    except StrictError:
        yield from _whole(text, begin, name)
        return
    if not text[begin + len(first_line) :].strip() and _is_wrapper(parse_all(first_line)):
        yield from _whole(text, begin, name)
        return
    notes.add(f"{name}: is one object a line (JSONL), not an array; it was read line by line")
    yield from read_jsonl(path, name, encoding, notes)


def _whole(text: str, begin: int, name: str) -> Iterator[Row | Problem]:
    """The questions of a file of SQuAD. Raises DataError for any other object."""
    try:
        value = parse_all(text)
    except StrictError:
        raise _no_array(text, begin, name) from None
    if not is_squad(value):
        raise _no_array(text, begin, name)
    yield from rows_of_squad(value, name)


def _is_wrapper(value: Any) -> bool:
    """Whether an object is no row but holds the rows in one of its keys."""
    return is_squad(value) or (
        isinstance(value, dict)
        and any(
            isinstance(v, list) and len(v) > 1 and all(isinstance(i, dict) for i in v)
            for v in value.values()
        )
        and not value.keys() & {"messages", "conversations", "prompt", "chosen"}
    )


def _no_array(text: str, begin: int, name: str) -> DataError:
    number = text.count("\n", 0, begin) + 1
    try:
        value = parse_all(text)
    except StrictError as error:
        line = text.count("\n", 0, error.at) + 1
        column = error.at - text.rfind("\n", 0, error.at)
        if text[begin] == "{" and "more than one value" in error.what:
            what = f"looks like pretty-printed JSON from line {number}"
            return DataError(what, where=f"{name}: line {number}", do=_ONE_A_LINE)
        return DataError(
            error.what.replace("the line ends", "the file ends"),
            where=f"{name}: line {line}, column {column}",
            do=error.do,
        )
    keys = [k for k, v in value.items() if isinstance(v, list)] if isinstance(value, dict) else []
    do = f"keep only the list under {keys[0]!r} (jq .{keys[0]} FILE)" if keys else _ONE_A_LINE
    return DataError(
        f"{kind(value)} where a list of objects is expected", where=f"{name}: line {number}", do=do
    )


def _array(text: str, begin: int, name: str) -> Iterator[Row | Problem]:
    at, line, row = begin + 1, text.count("\n", 0, begin + 1) + 1, 0
    counted = at
    while True:
        at = _skip(text, at)
        if text[at : at + 1] == "]" and row == 0:
            break
        row += 1
        line += text.count("\n", counted, at)
        counted = at
        where = place(name, row, line)
        try:
            value, at = parse(text, at)
        except StrictError as error:
            yield _in_array(text, error, name, row)
            return
        value = _as_row(value)
        if isinstance(value, Mapping):
            yield Row(value, where)
        else:
            yield Problem(where, f"{kind(value)} where an object is expected", _ONE_A_LINE)
        at = _skip(text, at)
        mark = text[at : at + 1]
        if mark == "]":
            break
        if mark != ",":
            what = f"{mark!r} where a comma is expected" if mark else "the list is not closed"
            yield _in_array(text, StrictError(what, at, at_end=not mark), name, row)
            return
        at += 1
    rest = _skip(text, at + 1)
    if rest < len(text):
        yield _in_array(text, StrictError("text after the list", rest, "remove it"), name, row)


def _in_array(text: str, error: StrictError, name: str, row: int) -> Problem:
    line = text.count("\n", 0, error.at) + 1
    column = error.at - text.rfind("\n", 0, error.at)
    where = f"{name}: row {row} (line {line}), column {column}"
    if error.at_end:
        inside = "a text" if "text" in error.what else "a row or the list"
        what = f"line {line} is incomplete: the file ends inside {inside}"
        return Problem(where, what, "the file was cut off: copy or download it again")
    if text[error.at : error.at + 1] == "]" and text[: error.at].rstrip().endswith(","):
        return Problem(where, "a comma before ]", "remove the trailing comma")
    return Problem(where, error.what, error.do or "mend the list")


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in " \t\r\n":
        at += 1
    return at
