"""From a source to examples: read every row, tell its shape, say where something is wrong."""

from __future__ import annotations

import datetime
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from afina.data.builders import build
from afina.data.content import ID_CHARACTERS, canonical, content_id, digest
from afina.data.conversation import Empty, RowFault
from afina.data.formats import Wanted, rows_of
from afina.data.hub import read_hub
from afina.data.rows import MAX_PROBLEMS, Notes, Problem, Row, flat, raise_problems, shown, usable
from afina.data.shapes import NEEDS, Ambiguous, Shape, tell
from afina.data.sources import HubSource, display_names, find
from afina.errors import DataError, nearest
from afina.recipe.knobs import Columns
from afina.types import (
    ChatExample,
    Example,
    LabelledExample,
    NumberExample,
    PairExample,
    PreferenceExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)

ANYTHING: tuple[type[Example], ...] = (
    LabelledExample,
    NumberExample,
    ChatExample,
    PairExample,
    PreferenceExample,
    TaggedExample,
    QuestionExample,
    TextExample,
)


@dataclass(frozen=True, slots=True)
class Drop:
    """A row that is not used: its id, its place, the reason, and the row it gives way to."""

    id: str
    where: str
    reason: str
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in a source. ``examples`` and ``dropped`` together are all its rows, in order."""

    examples: tuple[Example, ...]
    dropped: tuple[Drop, ...]
    files: tuple[tuple[str, int], ...]
    """Name and rows of each file."""
    format: str
    """Kinds of file and shape of the rows, for example ``csv: text and label``."""
    notes: tuple[str, ...]
    """What was accepted though it is unusual."""

    @property
    def rows(self) -> int:
        """All rows, also those with nothing to learn."""
        return len(self.examples) + len(self.dropped)


def read(
    source: str | Sequence[str],
    columns: Columns | None = None,
    encoding: str | None = None,
    accepts: tuple[type[Example], ...] = ANYTHING,
    *,
    group: str | None = None,
    time: str | None = None,
    fields: tuple[str, ...] = (),
    names: dict[Path, str] | None = None,
) -> Reading:
    """Read a file, several, a glob, a folder or a hub data set.

    ``group`` and ``time`` are columns that the split needs, ``fields`` those that the report is sliced
    by. ``names``: how files are called in
    messages. Raises DataError with up to 50 problems of one file; nothing is left out but rows
    without input or answer, which ``dropped`` lists.
    """
    wanted = Wanted(columns or Columns(), accepts, group, time, fields)
    notes = Notes()
    examples: list[Example] = []
    dropped: list[Drop] = []
    files: list[tuple[str, int]] = []
    forms: dict[str, None] = {}
    for name, kind, rows in rows_by_file(source, encoding, wanted, notes, names):
        one = _OneFile(name, wanted, notes)
        one.read(rows)
        if examples and one.examples and type(examples[0]) is not type(one.examples[0]):
            raise DataError(
                f"holds {one.shape_name} rows, the files before it other ones",
                where=name,
                do="read files of one shape together",
            )
        examples += one.examples
        dropped += one.dropped
        files.append((name, len(one.examples) + len(one.dropped)))
        forms[f"{kind}: {one.shape_name}"] = None
    if not examples and not dropped:
        raise DataError("0 rows: the file is empty", where=files[0][0], do="add examples to it")
    kept, doubled = _with_ids(examples, stated=wanted.columns.id is not None)
    if doubled and wanted.columns.id:
        notes.add(f"{doubled:,} rows repeat the id of an equal row; they got a number after it")
    return Reading(kept, tuple(dropped), tuple(files), "; ".join(forms), notes.lines())


def rows_by_file(
    source: str | Sequence[str],
    encoding: str | None,
    wanted: Wanted,
    notes: Notes,
    names: dict[Path, str] | None,
) -> list[tuple[str, str, Iterator[Row | Problem]]]:
    """Name, kind and rows of each file; nothing is opened before its rows are asked for."""
    found = find(source)
    if isinstance(found, HubSource):
        label = found.id if found.config is None else f"{found.id}:{found.config}"
        return [(f"{label}@{found.split}", "hub", read_hub(found))]
    called = names or display_names([file.path for file in found])
    return [
        (name, file.suffix[1:], rows_of(file, name, encoding, wanted, notes))
        for file in found
        for name in (called.get(file.path, file.path.name),)
    ]


class _OneFile:
    """The rows of one file on their way to examples."""

    def __init__(self, name: str, wanted: Wanted, notes: Notes) -> None:
        self.name = name
        self.wanted = wanted
        self.notes = notes
        self.examples: list[Example] = []
        self.dropped: list[Drop] = []
        self.shape: Shape | None = None
        self._unused: Counter[str] = Counter()
        self._shapes: dict[tuple[str, ...], Shape] = {}

    @property
    def shape_name(self) -> str:
        return self.shape.name if self.shape else "no rows"

    def read(self, rows: Iterable[Row | Problem]) -> None:
        """Raises DataError with all problems found, as far as they were looked for."""
        problems: list[Problem] = []
        for row in usable(rows, problems):
            values = flat(row.values)
            row = row if values is row.values else replace(row, values=values)
            if self.shape is None:
                self.shape = self._tell(row)
            problem = self._take(row, self.shape)
            if problem is not None:
                problems.append(problem)
                if len(problems) >= MAX_PROBLEMS:
                    break
        raise_problems(problems)
        for column, count in self._unused.items():
            self.notes.add(f"{self.name}: the column {column!r} is not used", count)

    def _tell(self, row: Row) -> Shape:
        shape = self._shape_of(row)
        if shape.makes in self.wanted.accepts:
            return shape
        raise DataError(
            f"the rows are {shape.name} (columns {', '.join(shape.columns.values())}), "
            f"and the task takes {_needs(self.wanted.accepts)}",
            where=row.where,
            do=_remedy(shape, row, self.wanted.accepts),
        )

    def _shape_of(self, row: Row) -> Shape:
        keys = [str(k) for k in row.values]
        try:
            shape = tell(keys, self.wanted.columns, self.wanted.accepts)
        except Ambiguous as error:
            raise DataError(
                f"several columns could be the {error.part}: {', '.join(error.columns)}",
                where=row.where,
                do=f"say which: data.columns: {{{error.part}: {error.columns[0]}}}",
            ) from None
        except DataError as error:
            raise DataError(error.what, where=row.where, do=error.do) from None
        if shape is None:
            raise DataError(
                f"the columns {', '.join(shown(k, 30) for k in keys[:12])} do not say what it is",
                where=row.where,
                do=f"the task takes {_needs(self.wanted.accepts)}; name them: data.columns",
            )
        for column in self.wanted.placing:
            if column is not None and column not in keys:
                knob = "evaluate" if column in self.wanted.fields else "data.split.column"
                raise DataError(
                    f"no column is called {column!r} ({knob})",
                    where=row.where,
                    do=nearest(column, keys),
                )
        return shape

    def _take(self, row: Row, shape: Shape) -> Problem | None:
        """Add the row's example; or say what is wrong with it."""
        values = row.values
        if any(column not in values for column in shape.required):
            return self._odd(row, shape)
        shape = self._with_own_columns(row, shape)
        place: dict[str, Any] = {"id": "", "where": row.where}
        try:
            place["id"] = self._id(values)
            place["group"] = _group(values, self.wanted.group)
            place["time"] = _time(values, self.wanted.time)
            place["fields"] = tuple((c, _plainly(values.get(c))) for c in self.wanted.fields)
            self._count_unused(values, shape)
            self.examples.append(build(shape, values, self.notes, **place))
        except Empty as empty:
            name = (
                place["id"]
                or digest(canonical({k: repr(v) for k, v in values.items()}))[:ID_CHARACTERS]
            )
            self.dropped.append(Drop(name, row.where, empty.reason))
        except RowFault as fault:
            return Problem(f"{row.where}, {fault.path}", fault.what, fault.do)
        return None

    def _with_own_columns(self, row: Row, shape: Shape) -> Shape:
        """The file's shape with the optional columns that this row has (tools, system …)."""
        keys = tuple(row.values)
        if keys not in self._shapes:
            own = self._shape_of(row)
            self._shapes[keys] = own if own.name == shape.name else shape
        return self._shapes[keys]

    def _odd(self, row: Row, shape: Shape) -> Problem:
        missing = next(c for c in shape.required if c not in row.values)
        try:
            other = tell(list(row.values), Columns(), ANYTHING)
        except (Ambiguous, DataError):
            other = None
        if other is not None and other.name != shape.name and other.makes is not TextExample:
            raise DataError(
                f"a row of {other.name} in a file of {shape.name}: the shapes are mixed",
                where=row.where,
                do="put rows of one shape into one file",
            )
        extra = [k for k in row.values if k not in shape.columns.values()]
        do = nearest(missing, extra) if extra else "add it, or remove the row"
        return Problem(f"{row.where}, column {missing}", "the column is missing", do)

    def _count_unused(self, values: Any, shape: Shape) -> None:
        columns = self.wanted.columns.id, *self.wanted.placing
        used = {*shape.columns.values(), *columns}
        if len(values) > len(shape.columns) or not used.issuperset(values):
            self._unused.update(str(k) for k in values if k not in used)

    def _id(self, values: Any) -> str:
        column = self.wanted.columns.id
        if column is None:
            return ""
        value = values.get(column)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            raise RowFault(
                f"column {column}", f"{shown(value)} is no id", "a text or a whole number"
            )
        return str(value).strip()


def _needs(accepts: Sequence[type[Example]]) -> str:
    return " or ".join(NEEDS.get(kind, kind.__name__) for kind in accepts)


def _remedy(shape: Shape, row: Row, accepts: tuple[type[Example], ...]) -> str:
    if PreferenceExample in accepts:
        return "give each prompt a chosen and a rejected answer, or take another objective"
    tasks: dict[type[Example], str] = {
        LabelledExample: "classify",
        NumberExample: "regress",
        TaggedExample: "tag",
        QuestionExample: "answer",
        ChatExample: "generate",
        PairExample: "embed",
    }
    task = tasks.get(shape.makes)
    if shape.makes is LabelledExample and ChatExample in accepts:
        text, label = shape.columns["text"], shape.columns["label"]
        return f"set task: classify; or data.columns: {{prompt: {text}, completion: {label}}}"
    if LabelledExample in accepts:
        first = next(iter(row.values), "body")
        name_them = f"name them: data.columns: {{text: {first}, label: …}}"
        return f"set task: {task}; or if the file holds labels, {name_them}" if task else name_them
    return f"set task: {task}, or give rows of that shape" if task else "give rows of that shape"


# ---------------------------------------------------------------------------- ids, groups, times


def _with_ids(examples: Sequence[Example], *, stated: bool) -> tuple[tuple[Example, ...], int]:
    """Each example with its id: the stated one, or a hash of its content.

    Equal rows get ``-2``, ``-3`` after it. Raises DataError if one stated id names different rows.
    """
    seen: Counter[str] = Counter()
    first: dict[str, Example] = {}
    named: list[Example] = []
    doubled = 0
    for example in examples:
        name = example.id if stated else content_id(example)
        if stated and name in first and content_id(first[name]) != content_id(example):
            raise DataError(
                f"the id {name!r} stands on different rows (also {first[name].where})",
                where=example.where,
                do="give each row an id of its own, or leave data.columns.id out",
            )
        if stated:
            first.setdefault(name, example)
        seen[name] += 1
        doubled += seen[name] > 1
        named.append(replace(example, id=name if seen[name] == 1 else f"{name}-{seen[name]}"))
    return tuple(named), doubled


def _group(values: Any, column: str | None) -> str | None:
    if column is None:
        return None
    value = values.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
        raise RowFault(f"column {column}", f"{shown(value)} is no group", "name the row's group")
    return str(value).strip()


def _plainly(value: Any) -> str:
    """A value as the name of a slice; empty where there is none."""
    return "" if value is None else str(value).strip()


_NUMBER = re.compile(r"^-?\d{1,13}(?:\.\d+)?$")


def _time(values: Any, column: str | None) -> str | None:
    """ISO 8601 in UTC, so that times sort as texts. A time without a zone counts as UTC.

    A number is seconds since 1970, or milliseconds from 1e11 on; a text of eight digits is a date.
    """
    if column is None:
        return None
    value = values.get(column)
    text = str(value).strip()
    remedy = "write it as 2026-01-31, 2026-01-31T10:00:00+01:00, or seconds since 1970"
    if isinstance(value, bool) or value is None or not text:
        raise RowFault(f"column {column}", f"{shown(value)} is no time", remedy)
    try:
        if _NUMBER.match(text) and not (isinstance(value, str) and len(text) == 8):
            seconds = float(text) / (1000 if abs(float(text)) >= 1e11 else 1)
            moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
        else:
            moment = datetime.datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise RowFault(f"column {column}", f"{shown(value)} is no time", remedy) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return moment.astimezone(datetime.UTC).isoformat(timespec="microseconds")
