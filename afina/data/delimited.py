"""CSV and TSV: delimiter and header are told by looking, and said; nothing is guessed in silence.

A file without a header is read when ``columns`` names its columns by position (``{text: "1",
label: "2"}``, counted from 1), or when it plainly is two columns of text and label.
"""

from __future__ import annotations

import csv
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path

from afina.data.lines import lines
from afina.data.rows import MAX_LINE_BYTES, Notes, Problem, Row, place, shown
from afina.data.sources import opened
from afina.errors import DataError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
LOOK_AHEAD_ROWS = 1000
Record = tuple[int, list[str]]
"""Line on which a record begins (or ended, for the csv module) and its fields."""


def read_delimited(
    path: Path,
    name: str,
    encoding: str | None,
    notes: Notes,
    *,
    known: Callable[[str], bool],
    positions: bool,
    labelled: bool,
    tabs: bool,
) -> Iterator[Row | Problem]:
    """Rows of a CSV or TSV file.

    ``known``: whether a column of this name means something. ``positions``: the columns are named
    by number, so there is no header. ``labelled``: text and label are wanted, so a file without a
    header may be recognised. ``tabs``: the file says by its name that tabs divide it.
    """
    with opened(path, name) as stream:
        text = lines(stream, name, encoding, notes)
        ahead = list(islice(text, LOOK_AHEAD_ROWS))
        if not any(line.strip() for _, line in ahead):
            return
        delimiter = "\t" if tabs else _delimiter(ahead, known, name, notes)
        quoted = not tabs or _is_quoted(ahead, delimiter, name, notes)
        records = _records(chain(ahead, text), delimiter, quoted)
        first = next(records, None)
        if first is None:
            return
        if isinstance(first, Problem):
            raise DataError(first.what, where=first.where, do=first.do)
        early = list(islice(records, LOOK_AHEAD_ROWS))
        header, stated = _header(first[1], early, name, notes, known, positions, labelled)
        rest = chain(early, records) if stated else chain([first], early, records)
        yield from _rows(rest, header, first[1] if stated else None, name, delimiter)


def _rows(
    records: Iterator[Record | Problem],
    header: Sequence[str],
    first: list[str] | None,
    name: str,
    delimiter: str,
) -> Iterator[Row | Problem]:
    row = 0
    for record in records:
        row += 1
        if isinstance(record, Problem):
            yield Problem(f"{name}: row {row}{record.where}", record.what, record.do)
            continue
        line, fields = record
        where = place(name, row, line)
        if fields == first:
            yield Problem(where, "the header stands here again", "remove the line")
        elif len(fields) != len(header):
            yield Problem(
                where,
                f"{len(fields)} columns where the first line has {len(header)}",
                f"quote fields that hold a {DELIMITERS[delimiter]}, or mend the line",
            )
        else:
            yield Row(dict(zip(header, fields, strict=True)), where)


def _records(
    text: Iterator[tuple[int, str]], delimiter: str, quoted: bool
) -> Iterator[Record | Problem]:
    """Records with the line on which each begins. Blank lines are passed over."""
    csv.field_size_limit(MAX_LINE_BYTES)
    at = 0

    def numbered() -> Iterator[str]:
        nonlocal at
        for number, line in text:
            at = number
            yield line

    reader = csv.reader(
        numbered(),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    while True:
        begin = at + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield _broken(str(error), begin, at)
            if "unexpected end of data" in str(error):
                return
            continue
        if fields:
            yield begin, fields


def _broken(message: str, begin: int, line: int) -> Problem:
    """``where`` is what follows the row number; the caller knows the row."""
    if "unexpected end of data" in message:
        what = f"a quote that opens on line {begin} or after is never closed"
        return Problem(
            f" (line {begin})", what, 'close it, or double each quote inside a text ("")'
        )
    if "field larger" in message:
        what = f"a field is longer than {MAX_LINE_BYTES:,} characters"
        return Problem(f" (line {begin})", what, "look for a quote that is never closed")
    if "new-line character" in message:
        what = "a lone carriage return: the lines end as on old Macs"
        return Problem(f" (line {line})", what, "save the file with line feeds")
    return Problem(
        f" (line {line})", f"wrong quoting: {message}", 'double each quote inside a text ("")'
    )


def _is_quoted(ahead: Sequence[tuple[int, str]], delimiter: str, name: str, notes: Notes) -> bool:
    """Whether a TSV uses quotes as CSV does: a field begins with one, and read so all rows fit.

    Many TSV files are written raw: there a quote is a character like any other.
    """
    text = [line for _, line in ahead if line.strip()]
    fields = [field for line in text for field in line.split(delimiter)]
    if not any(field.startswith('"') for field in fields):
        return False
    raw_fits = len({line.count(delimiter) for line in text}) == 1
    try:
        widths = {len(r) for r in csv.reader(text, delimiter=delimiter, strict=True) if r}
    except csv.Error as error:
        # The look-ahead may end inside a quoted field; a raw file of one width is raw.
        quoted = not raw_fits and "unexpected end of data" in str(error)
    else:
        quoted = len(widths) == 1 or not raw_fits
    if quoted:
        notes.add(f"{name}: quotes around fields were read as in CSV")
    return quoted


def _delimiter(
    ahead: Sequence[tuple[int, str]], known: Callable[[str], bool], name: str, notes: Notes
) -> str:
    """The delimiter whose first line names known columns; else the one that divides all lines."""
    number, first = next((n, line.rstrip("\r\n")) for n, line in ahead if line.strip())
    if "\r" in first:
        problem = _broken("new-line character", number, number)
        raise DataError(problem.what, where=f"{name}: line {number}", do=problem.do)

    def value(delimiter: str) -> tuple[int, bool, int]:
        fields = next(csv.reader([first], delimiter=delimiter), [])
        hits = sum(known(f) for f in fields)
        return hits, delimiter == ",", len(fields)

    counts = {d: value(d) for d in DELIMITERS}
    best = max(counts, key=lambda d: counts[d])
    if counts[best][0] == 0 and counts[","][2] == 1:
        best = max(counts, key=lambda d: counts[d][2])
    if best != ",":
        notes.add(f"{name}: divided by {DELIMITERS[best]}, not by comma")
    return best


# ---------------------------------------------------------------------------- the header


def _header(
    first: list[str],
    early: Sequence[Record | Problem],
    name: str,
    notes: Notes,
    known: Callable[[str], bool],
    positions: bool,
    labelled: bool,
) -> tuple[list[str], bool]:
    """The names of the columns, and whether the first line states them. DataError if unclear."""
    if positions:
        return [str(i + 1) for i in range(len(first))], False
    if any(known(field) for field in first):
        _distinct(first, name)
        return [field.strip() or f"column {i + 1}" for i, field in enumerate(first)], True
    order = _text_and_label(first, [r[1] for r in early if not isinstance(r, Problem)])
    if labelled and order is not None:
        text, label = order
        notes.add(
            f"{name}: has no header; column {text + 1} was read as text, "
            f"column {label + 1} as label"
        )
        return (["text", "label"] if text == 0 else ["label", "text"]), False
    body = first[0].strip()[:20] or "body"
    raise DataError(
        f"no column has a known name: {', '.join(shown(f, 30) for f in first[:8])}",
        where=f"{name}: line 1",
        do=f"say which is which, for example data.columns: {{text: {body}, label: …}}; if the file "
        'has no header, by position: data.columns: {text: "1", label: "2"}',
    )


def _text_and_label(first: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[int, int] | None:
    """Which of two columns is text and which label, if the first line plainly is a row of them.

    A label comes again: the first line's stands in later rows, and there are few different ones.
    A header's word would not.
    """
    if len(first) != 2 or len(rows) < 4 or any(len(r) != 2 for r in rows):
        return None
    for text, label in ((0, 1), (1, 0)):
        labels = [r[label] for r in rows]
        texts = {r[text] for r in rows}
        few = len(set(labels)) * 4 <= len(labels) and len(texts) > 2 * len(set(labels))
        if few and first[label] in labels and first[text] not in labels:
            return text, label
    return None


def _distinct(header: Sequence[str], name: str) -> None:
    seen: dict[str, str] = {}
    for i, field in enumerate(header):
        key = unicodedata.normalize("NFKC", field).strip().casefold()
        if key in seen:
            same = (
                "the same name" if seen[key] == field else f"names that look alike ({seen[key]!r})"
            )
            raise DataError(
                f"two columns have {same}",
                where=f"{name}: line 1, column {field!r}",
                do="rename one",
            )
        if not key:
            key = f"\0{i}"  # an index column without a name, as pandas writes it
        seen[key] = field
