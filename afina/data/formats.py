"""The kinds of file that can be read. A new one is one function and one line in ``FORMATS``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from afina.data import conll, delimited, jsonrows, parquet, shapes, texts
from afina.data.rows import Notes, Problem, Row
from afina.data.sources import SourceFile
from afina.recipe.knobs import Columns
from afina.types import Example, LabelledExample, TaggedExample

Reader = Callable[[Path, str, str | None, Notes], Iterator[Row | Problem]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the rows are for: how columns are named, and which examples the task takes."""

    columns: Columns
    accepts: tuple[type[Example], ...] = ()
    group: str | None = None
    time: str | None = None
    fields: tuple[str, ...] = ()
    """Columns whose values stay beside the row, for the slices of the report."""

    @property
    def placing(self) -> tuple[str | None, ...]:
        """The columns that say where a row belongs, not what it is."""
        return (self.group, self.time, *self.fields)


def _delimited(wanted: Wanted, tabs: bool) -> Reader:
    return partial(
        delimited.read_delimited,
        known=lambda name: shapes.is_known(name, wanted.columns, wanted.placing),
        positions=shapes.by_position(wanted.columns),
        labelled=LabelledExample in wanted.accepts,
        tabs=tabs,
    )


def _lines(wanted: Wanted) -> Reader:
    """Text, unless only rows of tagged words are wanted."""
    return conll.read_conll if wanted.accepts == (TaggedExample,) else texts.read_text


FORMATS: Mapping[str, Callable[[Wanted], Reader]] = {
    ".csv": lambda wanted: _delimited(wanted, tabs=False),
    ".tsv": lambda wanted: _delimited(wanted, tabs=True),
    ".tab": lambda wanted: _delimited(wanted, tabs=True),
    ".json": lambda _: jsonrows.read_json,
    ".jsonl": lambda _: jsonrows.read_jsonl,
    ".ndjson": lambda _: jsonrows.read_jsonl,
    ".parquet": lambda _: parquet.read_parquet,
    ".txt": lambda wanted: _lines(wanted),
    ".text": lambda wanted: _lines(wanted),
    ".conll": lambda _: conll.read_conll,
    ".iob": lambda _: conll.read_conll,
    ".iob2": lambda _: conll.read_conll,
    ".bio": lambda _: conll.read_conll,
    ".train": lambda _: conll.read_conll,  # as the files of CoNLL-2002 are called
    ".testa": lambda _: conll.read_conll,
    ".testb": lambda _: conll.read_conll,
    ".md": lambda _: texts.read_text,
}


def rows_of(
    file: SourceFile, name: str, encoding: str | None, wanted: Wanted, notes: Notes
) -> Iterator[Row | Problem]:
    """The rows of one file, by its kind. Raises DataError where the file as a whole is at fault."""
    if file.label is not None:
        return texts.read_document(file.path, name, encoding, notes, file.label)
    return FORMATS[file.suffix](wanted)(file.path, name, encoding, notes)
