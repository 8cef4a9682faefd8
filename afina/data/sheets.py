"""Forms that people fill in: CSV for a spreadsheet and JSON lines, written and read back with care.

A form is rows of texts by column, each with the names of its ``form`` and its ``item``. What comes
back is held against what was asked: nothing changed but the columns to fill in, nothing missing,
nothing twice.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from afina.data.content import composed
from afina.data.rows import MAX_LINE_BYTES
from afina.errors import DataError

Line = Mapping[str, str]
FORMULA = "=+-@\t\r\n"
"""A cell that begins so may be worked out by a spreadsheet: it gets an apostrophe, read away later."""
SHOWN = 10


def as_csv(rows: Sequence[Line]) -> str:
    """For a spreadsheet, with a byte order mark; cells are marked where ``FORMULA`` asks for it."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({k: f"'{v}" if _marked(v) else v for k, v in row.items()} for row in rows)
    return "\ufeff" + out.getvalue()


def as_lines(rows: Sequence[Line]) -> str:
    """JSON, one row a line."""
    return "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)


def _marked(value: str) -> bool:
    return value.lstrip("'")[:1] in tuple(FORMULA)


def _unmarked(value: str) -> str:
    return value[1:] if value.startswith("'") and _marked(value) else value


def text_of(path: Path) -> str:
    """A file that somebody filled in. Raises DataError if it is not there or not text."""
    try:
        return path.read_text("utf-8-sig")
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise DataError(what, where=str(path), do="check the name") from None
    except UnicodeDecodeError:
        do = "save it as CSV in UTF-8"
        raise DataError("is not text in UTF-8", where=path.name, do=do) from None


def read_sheet(path: Path) -> list[dict[str, str]]:
    """The rows of a form, CSV (with commas, semicolons or tabs) or JSON lines. Raises DataError."""
    text = text_of(path)
    try:
        if path.suffix == ".csv":
            header = text.partition("\n")[0]
            separator = max(",;\t", key=header.count)
            stream = io.StringIO(text, newline="")
            csv.field_size_limit(MAX_LINE_BYTES)
            sheet = csv.DictReader(stream, delimiter=separator, strict=True)
            return [{k: _unmarked(v or "") for k, v in row.items() if k} for row in sheet]
        rows = [json.loads(line) for line in text.split("\n") if line.strip()]
        return [{str(k): str(v) for k, v in row.items()} for row in rows]
    except (csv.Error, ValueError, AttributeError):
        raise DataError(
            "is no filled form", where=path.name, do="fill in the form's own .csv or .jsonl"
        ) from None


def check_sheet(
    name: str, rows: Sequence[Line], form: str, asked: Mapping[str, Line], fill: str
) -> None:
    """Hold a filled form against what was ``asked`` (item to its row); ``fill`` is the column that
    every item needs.

    Raises DataError for another form, for items that are unknown, missing, twice or not filled in, and
    for a text that was changed.
    """
    for number, row in enumerate(rows, 1):
        if row.get("form") != form:
            raise DataError(
                "is not this form, filled in",
                where=f"{name}: row {number}",
                do=f"give the files whose form is {form}",
            )
    given = Counter(row.get("item", "") for row in rows)
    done = {row.get("item") for row in rows if row.get(fill, "").strip()}
    for what, items in (
        ("are not of this form", [i for i in given if i not in asked]),
        ("stand twice", [i for i, count in given.items() if count > 1]),
        (f"have no {fill}", [i for i in asked if i not in done]),
    ):
        if items:
            shown = ", ".join(items[:SHOWN]) + (" …" if len(items) > SHOWN else "")
            raise DataError(
                f"{len(items)} of {len(asked)} items {what}: {shown}",
                where=name,
                do=f"fill in the column {fill} for every item of the form, each once",
            )
    for row in rows:
        for column, text in asked[row["item"]].items():
            if column in row and composed(row[column]) != composed(text):
                raise DataError(
                    f"the column {column} was changed",
                    where=f"{name}: item {row['item']}",
                    do=f"fill in a fresh copy of the form; only {fill} is yours",
                )


__all__ = ["as_csv", "as_lines", "check_sheet", "read_sheet", "text_of"]
