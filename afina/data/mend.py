"""A cleaned copy of the files of a recipe, and the list of what was changed. The originals stay.

Every row of every file is read again as it stands and written as a line of JSON with all of its
columns, so nothing is lost that the task does not use. Rows that the check drops are left out, those
of findings where that is asked for; texts that were decoded wrongly are put right where that is
certain; personal data are redacted where that is asked for.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from afina.data.check import FAULTS, Check
from afina.data.findings import KINDS
from afina.data.formats import Wanted
from afina.data.personal import People, Redactor
from afina.data.reading import rows_by_file
from afina.data.review import with_answer
from afina.data.rows import Notes, Problem, Row, file_and_row
from afina.data.sources import HubSource, display_names, find
from afina.errors import DataError, RequestError, nearest
from afina.recipe.knobs import Columns, Data
from afina.store import durable
from afina.types import Example

Redaction = Literal["reversible", "final"]
CHANGES, FINDINGS, KEYS = "changes.jsonl", "findings.jsonl", "keys.json"
Decision = tuple[str, str | None, Mapping[str, str]]
"""The answer of a row, the one that people want (None: leave it out), and who wants what."""
STAY = ("limit",)
"""Reasons for which a row is not used though nothing is wrong with it."""


@dataclass(frozen=True, slots=True)
class Mended:
    """What was written, and how much of what was changed."""

    files: Mapping[str, str]
    """The cleaned file of each part of the recipe (``train``, ``validation``, ``test``)."""
    rows: Mapping[str, int]
    """Rows of each of them."""
    removed: Mapping[str, int]
    """Rows left out, by reason."""
    changed: Mapping[str, int]
    """Values changed, by reason."""
    keys: str | None
    """The file with what stands for each token; whoever has it can undo the redaction."""

    def as_dict(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "files": dict(self.files),
            "rows": dict(self.rows),
            "removed": dict(self.removed),
            "changed": dict(self.changed),
            "keys": self.keys,
        }


def mend(
    data: Data,
    shapes: tuple[type[Example], ...],
    check: Check,
    folder: Path,
    *,
    remove: Sequence[str] = (),
    redact: Redaction | None = None,
    reviewed: Mapping[str, Decision] | None = None,
    people: People | None = None,
) -> Mended:
    """Write the cleaned files, ``changes.jsonl`` and, for a reversible redaction, ``keys.json``.

    ``check`` is the thorough one of the same data; ``shapes`` are those of its rows; ``remove`` names
    kinds of its findings whose rows are left out too; ``reviewed``: what people decided of rows, by
    place; ``people`` finds the names to redact. Raises RequestError if the folder holds anything or a
    kind is not known.
    """
    reasons = _reasons(check, remove)
    make_new(folder)
    redactor = Redactor(reversible=redact == "reversible", people=people) if redact else None
    mender = _Mender(reasons, redactor, reviewed or {}, data.columns)
    sources = {"train": data.train, "validation": data.validation, "test": data.test}
    given = {part: source for part, source in sources.items() if source is not None}
    names = _names(given)
    files: dict[str, str] = {}
    rows: dict[str, int] = {}
    for part, source in given.items():
        wanted = Wanted(data.columns, shapes, *_columns(data, part))
        read = rows_by_file(source, data.encoding, wanted, Notes(), names)
        lines = mender.lines(row for _, _, some in read for row in some)
        rows[part] = write_lines(folder / f"{part}.jsonl", lines)
        files[part] = str(folder / f"{part}.jsonl")
    write_lines(folder / CHANGES, (json.dumps(c, ensure_ascii=False) for c in mender.changes))
    keys = None
    if redactor is not None and redactor.reversible:
        keys = str(folder / KEYS)
        listed = json.dumps(redactor.keys, ensure_ascii=False, indent=1)
        durable.write_private(folder / KEYS, listed + "\n")
    return Mended(files, rows, dict(mender.removed), dict(mender.changed), keys)


def _columns(data: Data, part: str) -> tuple[str | None, str | None]:
    """The columns of group and time, which only the rows to split must have."""
    column = data.split.column if part == "train" else None
    return (column, None) if data.split.by == "group" else (None, column)


def _reasons(check: Check, remove: Sequence[str]) -> dict[str, tuple[str, str]]:
    """For each place whose row goes: the reason, and the row it gives way to."""
    findings = check.quality.findings if check.quality else []
    for kind in remove:
        if kind not in KINDS:
            raise RequestError(
                f"no finding is of the kind {kind}", where="--remove", do=nearest(kind, KINDS)
            )
    reasons = {f.where: (f.kind, "") for f in findings if f.kind in remove}
    dropped = {d.where: (d.reason, d.instead) for d in check.drops if d.reason not in STAY}
    return reasons | dropped


def _names(given: Mapping[str, Any]) -> dict[Path, str]:
    found = [find(source) for source in given.values()]
    return display_names(
        [f.path for some in found if not isinstance(some, HubSource) for f in some]
    )


class _Mender:
    """Row by row: what goes, what is changed, and the list of both."""

    def __init__(
        self,
        reasons: Mapping[str, tuple[str, str]],
        redactor: Redactor | None,
        reviewed: Mapping[str, Decision],
        columns: Columns,
    ) -> None:
        self.changes: list[dict[str, Any]] = []
        self.removed: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self._reasons = reasons
        self._redactor = redactor
        self._reviewed = reviewed
        self._columns = columns

    def lines(self, rows: Iterator[Row | Problem]) -> Iterator[str]:
        """A line of JSON for each row that stays."""
        for row in rows:
            if isinstance(row, Problem):
                raise DataError(row.what, where=row.where, do=row.do)
            file, number = file_and_row(row.where)
            place = {"file": file, "row": number}
            if row.where in self._reasons:
                reason, instead = self._reasons[row.where]
                self.removed[reason] += 1
                line = place | {"change": "removed", "reason": reason}
                self.changes.append(line | ({"instead": instead} if instead else {}))
                continue
            reviewed = self._decided(row, place)
            if reviewed is None:
                continue
            values = {c: self._mended(v, str(c), place) for c, v in reviewed.items()}
            yield json.dumps(values, ensure_ascii=False)

    def _decided(self, row: Row, place: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The row as people want it; None if it goes."""
        if row.where not in self._reviewed:
            return row.values
        was, new, by = self._reviewed[row.where]
        line = {**place, "reason": "review", "by": dict(by)}
        if new is None:
            self.removed["review"] += 1
            self.changes.append(line | {"change": "removed"})
            return None
        self.changed["review"] += 1
        self.changes.append(line | {"change": "changed"})
        return with_answer(row.values, was, new, self._columns, row.where)

    def _mended(self, value: Any, column: str, place: Mapping[str, Any]) -> Any:
        if isinstance(value, list):
            return [self._mended(item, f"{column}[{i}]", place) for i, item in enumerate(value)]
        if isinstance(value, Mapping):
            return {k: self._mended(item, f"{column}.{k}", place) for k, item in value.items()}
        if not isinstance(value, str):
            return self._plain(value, column, place)
        whole = decoded_again(value)
        self._note("encoding", value, whole, column, place)
        clean = FAULTS["control_character"].sub("", whole)
        self._note("control_character", whole, clean, column, place)
        if self._redactor is None:
            return clean
        redacted = self._redactor.text(clean)
        self._note("personal", clean, redacted, column, place)
        return redacted

    def _plain(self, value: Any, column: str, place: Mapping[str, Any]) -> Any:
        """What is no text, as JSON has it; NaN is how tables write that a number is missing."""
        if isinstance(value, float) and math.isnan(value):
            self.changed["not_a_number"] += 1
            line = {"column": column, "change": "changed", "reason": "not_a_number"}
            self.changes.append({**place, **line})
            return None
        if (
            value is None
            or isinstance(value, int)
            or (isinstance(value, float) and math.isfinite(value))
        ):
            return value
        raise DataError(
            f"the column {column} holds {str(value)[:20]} ({type(value).__name__}), which a line of "
            "JSON cannot",
            where=f"{place['file']}: row {place['row']}",
            do="leave the column out of the file, or write it as text",
        )

    def _note(
        self, reason: str, before: str, after: str, column: str, place: Mapping[str, Any]
    ) -> None:
        if before != after:
            self.changed[reason] += 1
            self.changes.append({**place, "column": column, "change": "changed", "reason": reason})


def decoded_again(text: str) -> str:
    """A text whose UTF-8 was read as Windows-1252 or Latin-1, read as it was written.

    Left as it is unless every byte of it is UTF-8 and the sign of the fault is gone afterwards.
    """
    fault = FAULTS["mojibake"]
    if text.isascii() or fault.search(text) is None:
        return text
    for encoding in ("cp1252", "latin-1"):
        try:
            again = text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
        if fault.search(again) is None:
            return again
    return text


# ---------------------------------------------------------------------------- writing


def make_new(folder: Path) -> None:
    """Make the folder. Raises RequestError if it is there and holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RequestError(
            "there is something already, and nothing is written over",
            where=str(folder),
            do="name a new folder with --out",
        )
    durable.make_folder(folder)


def write_lines(path: Path, lines: Iterator[str] | Sequence[str]) -> int:
    """Write a new file line by line, whole or not at all. Returns the number of lines."""
    part, count = path.with_name(path.name + ".part"), 0
    try:
        with part.open("x", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
        os.replace(part, path)
    except OSError as error:
        raise durable.storage_error(error, path, "writing") from None
    finally:
        part.unlink(missing_ok=True)
    return count
