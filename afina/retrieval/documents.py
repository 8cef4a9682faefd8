"""The user's documents: text and Markdown files (a document each), JSON lines (a document a row).

Knows nothing of models, tokens or questions.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from afina.data.jsonrows import read_jsonl
from afina.data.lines import text_of
from afina.data.rows import Notes, Problem, Row, raise_problems, shown, usable
from afina.data.sources import kind_of, opened
from afina.errors import DataError, nearest

TEXTS = (".txt", ".text", ".md")
ROWS = (".jsonl", ".ndjson")
TEXT_COLUMNS = ("text", "content", "body", "contents", "page_content")
ID_COLUMNS = ("id", "doc_id", "document_id", "_id", "url", "title")


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name of its own: its path below the folder, or the row's id."""

    id: str
    text: str
    where: str


@dataclass(frozen=True)
class Documents:
    """What was read. ``left_out``: (path, reason) of files and rows that hold nothing to retrieve."""

    items: tuple[Document, ...]
    left_out: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()


def read_documents(source: str | Sequence[str], encoding: str | None = None) -> Documents:
    """Read a file, a folder with all below it, a pattern, or several of these, in a fixed order.

    Files of other kinds and empty documents are listed in ``left_out``. Raises DataError where
    nothing is left, a name stands twice, or a file cannot be read.
    """
    sources = [source] if isinstance(source, str) else list(source)
    notes = Notes()
    items: list[Document] = []
    left_out: list[tuple[str, str]] = []
    for path, name in (file for one in sources for file in _files(one)):
        kind = kind_of(path)
        if kind in TEXTS:
            with opened(path, name) as stream:
                found = [Document(name, text_of(stream, name, encoding, notes), name)]
        elif kind in ROWS:
            found = list(_rows(read_jsonl(path, name, encoding, notes), name))
        else:
            left_out.append((name, f"the kind of file {path.suffix or 'without a suffix'}"))
            continue
        left_out += [(one.where, "it is empty") for one in found if not one.text.strip()]
        items += [one for one in found if one.text.strip()]
    _refuse(items, left_out, sources)
    return Documents(tuple(items), tuple(left_out), notes.lines())


def _refuse(
    items: Sequence[Document], left_out: Sequence[tuple[str, str]], sources: Sequence[str]
) -> None:
    known = f"{', '.join((*TEXTS, *ROWS))} are read, each also as .gz"
    if not items:
        raise DataError(
            "there is no document in it",
            where=", ".join(sources) or "retrieval.documents",
            problems=[f"{name}: {reason}" for name, reason in left_out[:20]],
            do=f"name text files or a folder of them; {known} (pdftotext makes text of a PDF)",
        )
    first: dict[str, Document] = {}
    for one in items:
        if one.id in first:
            raise DataError(
                f"the name {shown(one.id)} stands on two documents (also {first[one.id].where})",
                where=one.where,
                do="give each document an id of its own: answers name their sources by it",
            )
        first[one.id] = one


# ---------------------------------------------------------------------------- files


def _files(source: str) -> Iterator[tuple[Path, str]]:
    """(path, name) of every file of a source. A folder gives all below it but hidden ones."""
    path = Path(source).expanduser()
    if path.is_dir():
        below = sorted(p for p in path.rglob("*") if p.is_file())
        for file in below:
            name = file.relative_to(path)
            if not any(part.startswith(".") for part in name.parts):
                yield file, name.as_posix()
    elif path.is_file():
        yield path, path.name
    elif glob.has_magic(source) and (found := sorted(glob.glob(str(path), recursive=True))):
        yield from ((Path(p), Path(p).name) for p in found if Path(p).is_file())
    else:
        here = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise DataError(
            "no such file or folder",
            where=f"documents: {source}",
            do=nearest(path.name, here) if here else "name a folder of documents",
        )


def _rows(rows: Iterable[Row | Problem], name: str) -> Iterator[Document]:
    problems: list[Problem] = []
    text_column = id_column = ""
    for number, row in enumerate(usable(rows, problems), 1):
        if not text_column:
            text_column = next((c for c in TEXT_COLUMNS if c in row.values), "")
            id_column = next((c for c in ID_COLUMNS if c in row.values), "")
        text = row.values.get(text_column)
        if not isinstance(text, str):
            what = f"{shown(text)} is no text" if text_column else "no column holds the text"
            do = f"give each row one of {', '.join(TEXT_COLUMNS)}"
            problems.append(Problem(row.where, what, do))
            continue
        given = row.values.get(id_column) if id_column else None
        if id_column and (isinstance(given, bool) or not isinstance(given, str | int)):
            problems.append(
                Problem(row.where, f"{shown(given)} is no id", f"a text or number in {id_column}")
            )
            continue
        yield Document(str(given) if id_column else f"{name}#{number}", text, row.where)
    raise_problems(problems)
