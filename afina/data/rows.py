"""Rows as a reader gives them, before anybody knows what they mean, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from afina.errors import DataError

MAX_LINE_BYTES = 16 * 2**20
"""Longest line of a text file. A longer one is no row: it is a file without line ends."""
MAX_FILE_BYTES = 2 * 2**30
"""Largest file that has to be read whole (a JSON array), after unpacking."""
MAX_DEPTH = 64
"""Deepest nesting of JSON in a row."""
MAX_PROBLEMS = 50
"""After so many problems of one file the rest is not looked at."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: values by column. ``where`` is ``file: row N`` or ``file: row N (line L)``."""

    values: Mapping[str, Any]
    where: str


@dataclass(frozen=True, slots=True)
class Problem:
    """A row that cannot be used: where it is, what is wrong and what to do."""

    where: str
    what: str
    do: str


@dataclass(slots=True)
class Notes:
    """What was accepted though it is unusual: each sentence with the rows it stands for."""

    counts: dict[str, int] = field(default_factory=dict)

    def add(self, sentence: str, rows: int = 1) -> None:
        self.counts[sentence] = self.counts.get(sentence, 0) + rows

    def lines(self) -> tuple[str, ...]:
        """One line a note; the number of rows where it is more than one."""
        return tuple(f"{s} ({n:,} times)" if n > 1 else s for s, n in self.counts.items())


def place(file: str, row: int, line: int | None = None) -> str:
    """``file: row N``; with the line where that is another number."""
    return f"{file}: row {row}" if line in (None, row) else f"{file}: row {row} (line {line})"


_PLACE = re.compile(r"^(?P<file>.*): row (?P<row>\d+)(?: \(line \d+\))?$", re.DOTALL)


def file_and_row(where: str) -> tuple[str, int | None]:
    """The two parts of what ``place`` made; the row is None for another form."""
    match = _PLACE.match(where)
    return (match["file"], int(match["row"])) if match else (where, None)


def usable(rows: Iterable[Row | Problem], problems: list[Problem]) -> Iterator[Row]:
    """The rows, with the problems put aside; ends early when there are too many of these."""
    for row in rows:
        if isinstance(row, Row):
            yield row
            continue
        problems.append(row)
        if len(problems) >= MAX_PROBLEMS:
            return


def raise_problems(problems: Sequence[Problem]) -> None:
    """One DataError for all of them; the first gives place, sentence and remedy."""
    if not problems:
        return
    first, *others = problems
    lines = [f"{p.where}: {p.what}" for p in others]
    if len(problems) >= MAX_PROBLEMS:
        lines.append(f"… the rest was not read: {MAX_PROBLEMS} problems are shown")
    raise DataError(first.what, where=first.where, do=first.do, problems=lines)


def kind(value: object) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a value of type {type(value).__name__}"


def shown(value: object, limit: int = 60) -> str:
    """A value short enough for a message."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def flat(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """``{"translation": {"en": …, "es": …}}`` as the columns ``translation.en``, ``translation.es``."""
    pair = values.get("translation")
    if not isinstance(pair, Mapping):
        return values
    rest = {k: v for k, v in values.items() if k != "translation"}
    return {**rest, **{f"translation.{k}": v for k, v in pair.items()}}
