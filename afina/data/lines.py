"""Bytes to lines of text: strict about the encoding, with line and offset of what is wrong."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import IO

from afina.data.rows import MAX_LINE_BYTES, Notes
from afina.data.sources import whole
from afina.errors import DataError

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONVERT = "convert the file to UTF-8, or set data.encoding"


def lines(
    stream: IO[bytes], name: str, encoding: str | None, notes: Notes
) -> Iterator[tuple[int, str]]:
    """Line number and text with its line end. Only ``\\n`` ends a line, as in JSONL.

    ``encoding`` None is UTF-8, with or without a byte order mark. Raises DataError at the first
    byte that does not fit, at a NUL, and at a line beyond the limit (before it is in memory).
    """
    chosen = _checked(encoding)
    if chosen in ("utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
        yield from _wide_lines(stream, name, chosen)
        return
    offset = number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES:
            raise _too_long(name, number)
        if number == 1:
            if encoding is None:
                _refuse_wide(raw, name)
            if raw.startswith(codecs.BOM_UTF8) and chosen == "utf-8":
                raw = raw[3:]
                offset += 3
                notes.add(f"{name}: begins with a byte order mark, which was left out")
        if b"\0" in raw:
            raise _nul(name, number, offset + raw.index(b"\0"))
        try:
            text = raw.decode(chosen)
        except UnicodeDecodeError as error:
            raise _not_in(chosen, name, number, offset, raw, error) from None
        offset += len(raw)
        yield number, text


def text_of(stream: IO[bytes], name: str, encoding: str | None, notes: Notes) -> str:
    """The whole text of a file whose rows may span lines (a JSON array). As strict as ``lines``."""
    chosen = _checked(encoding)
    data = whole(stream, name)
    if encoding is None:
        _refuse_wide(data, name)
    if data.startswith(codecs.BOM_UTF8) and chosen == "utf-8":
        notes.add(f"{name}: begins with a byte order mark, which was left out")
    try:
        text = data.decode(chosen)
    except UnicodeDecodeError as error:
        start = data.rfind(b"\n", 0, error.start) + 1
        end = data.find(b"\n", error.start)
        raw = data[start : end if end >= 0 else len(data)][:MAX_LINE_BYTES]
        in_line = UnicodeDecodeError(
            error.encoding, raw, error.start - start, error.end - start, error.reason
        )
        number = data.count(b"\n", 0, error.start) + 1
        raise _not_in(chosen, name, number, start, raw, in_line) from None
    text = text.removeprefix("\ufeff")
    if "\0" in text:
        raise _nul(name, text.count("\n", 0, text.index("\0")) + 1, None)
    return text


def _checked(encoding: str | None) -> str:
    if encoding is None:
        return "utf-8"
    try:
        name = codecs.lookup(encoding).name
        " ".encode(encoding)  # a codec that is not one of text (hex, zip) refuses here
    except LookupError:
        raise DataError(
            f"no encoding is called {encoding}",
            where="data.encoding",
            do="for example utf-8, latin-1, cp1252, utf-16, gb18030",
        ) from None
    return "utf-8" if name in ("utf-8", "utf-8-sig", "ascii") else name


def _refuse_wide(raw: bytes, name: str) -> None:
    guess = next((e for mark, e in _MARKS if raw.startswith(mark)), None)
    head = raw[:200]
    if guess is None and len(head) >= 4 and head[1::2].count(0) * 3 > len(head):
        guess = "utf-16-le"
    if guess is None and len(head) >= 4 and head[0::2].count(0) * 3 > len(head):
        guess = "utf-16-be"
    if guess is not None:
        raise DataError(
            f"byte 0 of the file: this is {guess.upper()}, not UTF-8",
            where=f"{name}: line 1",
            do=f"{_CONVERT}: {guess}",
        )


def _wide_lines(stream: IO[bytes], name: str, encoding: str) -> Iterator[tuple[int, str]]:
    text = io.TextIOWrapper(stream, encoding=encoding, newline="\n")
    number = 0
    try:
        while line := text.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise _too_long(name, number)
            if "\0" in line:
                raise _nul(name, number, None)
            yield number, line.removeprefix("\ufeff") if number == 1 else line
    except UnicodeError as error:
        raise DataError(
            f"not {encoding.upper()}: {getattr(error, 'reason', error)}",
            where=f"{name}: line {number + 1}",
            do=_CONVERT,
        ) from None
    finally:
        text.detach()


def _too_long(name: str, number: int) -> DataError:
    return DataError(
        f"the line is longer than {MAX_LINE_BYTES:,} bytes",
        where=f"{name}: line {number}",
        do="write one row a line",
    )


def _nul(name: str, number: int, offset: int | None) -> DataError:
    at = "" if offset is None else f" (byte {offset:,} of the file)"
    return DataError(
        f"a NUL byte{at}: this is not text",
        where=f"{name}: line {number}",
        do="remove it, or export the file again as UTF-8 text",
    )


def _not_in(
    encoding: str, name: str, number: int, offset: int, raw: bytes, error: UnicodeDecodeError
) -> DataError:
    guess = guess_encoding(raw) if encoding == "utf-8" else None
    like = f"; it looks like {guess}" if guess else ""
    at = f"byte {offset + error.start:,} of the file, {error.start + 1:,} of the line"
    return DataError(
        f"0x{raw[error.start]:02x} is not {encoding.upper()} ({at}){like}",
        where=f"{name}: line {number}",
        do=f"{_CONVERT}: {guess}" if guess else "mend the byte, or set data.encoding",
    )


def guess_encoding(raw: bytes) -> str | None:
    """The likely encoding of a line that is not UTF-8; None where most of the line is UTF-8."""
    high = sum(b >= 0x80 for b in raw)
    whole_ones = raw.decode("utf-8", errors="ignore")
    if high and sum(ord(c) >= 0x80 for c in whole_ones) * 2 > high / 2:
        return None  # one broken byte in a line of good ones
    for wide, first, last in (("gb18030", 0x4E00, 0x9FFF), ("shift_jis", 0x3040, 0x30FF)):
        try:
            text = raw.decode(wide)
        except UnicodeDecodeError:
            continue
        letters = [c for c in text if ord(c) >= 0x80]
        fitting = sum(first <= ord(c) <= last for c in letters)
        if len(letters) >= 4 and high * 2 >= 3 * len(letters) and fitting * 2 > len(letters):
            return wide
    return "cp1252" if any(0x80 <= b <= 0x9F for b in raw) else "latin-1"
