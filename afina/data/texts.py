"""Plain text: paragraphs where blank lines divide them, else lines; or one labelled text a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from afina.data.lines import lines, text_of
from afina.data.rows import Notes, Problem, Row, place
from afina.data.sources import opened


def read_text(path: Path, name: str, encoding: str | None, notes: Notes) -> Iterator[Row | Problem]:
    """One row a paragraph if the file holds blank lines between texts, else one row a line."""
    with opened(path, name) as stream:
        found = [(n, t.rstrip("\r\n")) for n, t in lines(stream, name, encoding, notes)]
    first = next((i for i, (_, t) in enumerate(found) if t.strip()), len(found))
    last = next((i for i in range(len(found), first, -1) if found[i - 1][1].strip()), first)
    body = found[first:last]
    by_paragraph = any(not t.strip() for _, t in body)
    if body:
        notes.add(f"{name}: one row a {'paragraph' if by_paragraph else 'line'}")
    row, begin, paragraph = 0, 0, list[str]()
    for number, text in [*body, (0, "")]:
        if text.strip():
            begin = begin if paragraph else number
            paragraph.append(text)
            if by_paragraph:
                continue
        if paragraph:
            row += 1
            yield Row({"text": "\n".join(paragraph)}, place(name, row, begin))
            paragraph = []


def read_document(
    path: Path, name: str, encoding: str | None, notes: Notes, label: str
) -> Iterator[Row | Problem]:
    """One row: the whole file and its class."""
    with opened(path, name) as stream:
        text = text_of(stream, name, encoding, notes)
    yield Row({"text": text.strip(), "label": label}, place(name, 1))
