"""Tagged words in columns, as the CoNLL tasks have them: a word a line, a blank line after a sentence.

The first column is the word and the last its tag; what stands between is not used. Lines that begin
with ``-DOCSTART-`` divide documents and are counted. Columns are divided by tabs where a line has any,
else by spaces.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from afina.data.lines import lines
from afina.data.rows import Notes, Problem, Row, place
from afina.data.sources import opened


def read_conll(
    path: Path, name: str, encoding: str | None, notes: Notes
) -> Iterator[Row | Problem]:
    """One row a sentence: its tokens and their tags."""
    tokens: list[str] = []
    tags: list[str] = []
    row, begin, width = 0, 0, 0
    broken: Problem | None = None
    with opened(path, name) as stream:
        for number, line in _ended(lines(stream, name, encoding, notes)):
            cells = line.split("\t") if "\t" in line else line.split()
            cells = [cell.strip() for cell in cells]
            if cells and cells[0] == "-DOCSTART-":
                notes.add(f"{name}: lines that divide documents (-DOCSTART-) were left out")
                cells = []
            if not any(cells):
                if tokens or broken:
                    row += 1
                    where = place(name, row, begin)
                    yield broken or Row({"tokens": tokens, "tags": tags}, where)
                tokens, tags, broken = [], [], None
                continue
            begin = begin if tokens else number
            width = width or len(cells)
            if len(cells) < 2 or len(cells) != width or not cells[0] or not cells[-1]:
                broken = broken or Problem(
                    f"{name}: line {number}",
                    f"{len(cells)} columns where a word and its tag are expected"
                    if len(cells) < 2 or len(cells) == width
                    else f"{len(cells)} columns, and {width} in the first line",
                    "one word a line, its tag in the last column, a blank line after a sentence",
                )
            tokens.append(cells[0])
            tags.append(cells[-1])


def _ended(found: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """The lines, and a blank one after the last."""
    number = 0
    for number, line in found:
        yield number, line
    yield number + 1, ""
