"""Kinds of file: the same rows come out of every one of them."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from afina.data import read
from afina.errors import DataError
from afina.recipe.knobs import Columns
from afina.types import ChatExample, LabelledExample, TextExample

ROWS = [
    {"text": 'say "hi", please', "label": "greet"},
    {"text": "two\nlines; and a bar |", "label": "a|b"},
    {"text": "ñandú 🦤 — “x”", "label": "bird"},
]
LABELLED = (LabelledExample,)


def separated(delimiter: str) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, ["text", "label"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return out.getvalue().encode()


def jsonl() -> bytes:
    return b"".join(json.dumps(r).encode() + b"\n" for r in ROWS)


def parquet() -> bytes:
    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), out)
    return out.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "rows.csv": lambda: separated(","),
    "semicolon.csv": lambda: separated(";"),
    "tab.csv": lambda: separated("\t"),
    "rows.tsv": lambda: separated("\t"),
    "rows.jsonl": jsonl,
    "rows.ndjson": jsonl,
    "lines.json": jsonl,
    "rows.json": lambda: json.dumps(ROWS).encode(),
    "pretty.json": lambda: json.dumps(ROWS, indent=2).encode(),
    "array.jsonl": lambda: json.dumps(ROWS).encode(),
    "mark.jsonl": lambda: b"\xef\xbb\xbf" + jsonl(),
    "mark.csv": lambda: b"\xef\xbb\xbf" + separated(","),
    "no_end.jsonl": lambda: jsonl().rstrip(b"\n"),
    "crlf.jsonl": lambda: jsonl().replace(b"\n", b"\r\n"),
    "mixed.jsonl": lambda: jsonl().replace(b"\n", b"\r\n", 1) + b"\n\n",
    "rows.parquet": parquet,
    "rows.csv.gz": lambda: gzip.compress(separated(",")),
    "rows.jsonl.gz": lambda: gzip.compress(jsonl()),
    "rows.json.gz": lambda: gzip.compress(json.dumps(ROWS).encode()),
}


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_file_gives_the_same_rows(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(FILES[name]())
    reading = read(str(file), accepts=LABELLED)
    got = [e for e in reading.examples if isinstance(e, LabelledExample)]
    # the csv module ends lines inside a field as they stand in the file
    assert [(e.text.replace("\r\n", "\n"), e.labels) for e in got] == [
        (ROWS[0]["text"], ("greet",)),
        (ROWS[1]["text"], ("a", "b")),
        (ROWS[2]["text"], ("bird",)),
    ]
    assert [e.where.split(" (")[0] for e in got] == [f"{name}: row {i}" for i in (1, 2, 3)]


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le"])
def test_another_encoding_is_read_when_it_is_named(encoding: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_bytes("text,label\ncafé,sí\n".encode(encoding))
    (example,) = read(str(file), encoding=encoding, accepts=LABELLED).examples
    assert isinstance(example, LabelledExample)
    assert (example.text, example.labels) == ("café", ("sí",))


def test_a_byte_order_mark_and_a_wrong_name_are_noted(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(ROWS).encode())
    notes = read(str(file), accepts=LABELLED).notes
    assert any("byte order mark" in n for n in notes)
    assert any("one JSON array" in n for n in notes)


def test_csv_says_row_and_line(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('text,label\n"one\ntwo",a\n\nthree,b\n')
    where = [e.where for e in read(str(file), accepts=LABELLED).examples]
    assert where == ["a.csv: row 1 (line 2)", "a.csv: row 2 (line 5)"]


def test_columns_by_position_where_there_is_no_header(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("7,good,text one\n8,bad,text two\n")
    examples = read(str(file), Columns(text="3", label="2"), accepts=LABELLED).examples
    assert [(e.text, e.labels) for e in examples if isinstance(e, LabelledExample)] == [
        ("text one", ("good",)),
        ("text two", ("bad",)),
    ]


def test_a_tsv_with_bare_quotes_is_read_as_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    file.write_text('text\tlabel\n"so-called art\tbad\nsay "hi"\tgood\n')
    examples = read(str(file), accepts=LABELLED).examples
    assert [e.text for e in examples if isinstance(e, LabelledExample)] == [
        '"so-called art',
        'say "hi"',
    ]


def test_a_headerless_file_is_not_guessed_when_it_is_unclear(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("".join(f"some words {i},{i}\n" for i in range(50)))
    with pytest.raises(DataError) as caught:
        read(str(file), accepts=LABELLED)
    assert 'data.columns: {text: "1", label: "2"}' in caught.value.do


def test_text_is_divided_by_paragraph_or_by_line(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("\none\ntwo\n\n\nthree\n")
    reading = read(str(file), accepts=(TextExample,))
    got = [(e.text, e.where) for e in reading.examples if isinstance(e, TextExample)]
    assert got == [("one\ntwo", "a.txt: row 1 (line 2)"), ("three", "a.txt: row 2 (line 6)")]
    file.write_text("one\ntwo\nthree\n\n")
    texts = [
        e.text
        for e in read(str(file), accepts=(TextExample,)).examples
        if isinstance(e, TextExample)
    ]
    assert texts == ["one", "two", "three"]


def test_a_folder_of_one_sub_folder_a_class(tmp_path: Path) -> None:
    for label in ("neg", "pos"):
        (tmp_path / "films" / label).mkdir(parents=True)
        for i in range(2):
            (tmp_path / "films" / label / f"{i}.txt").write_text(f"{label} film {i}\n\nsecond part")
    examples = read(str(tmp_path / "films"), accepts=LABELLED).examples
    got = [(e.text, e.labels, e.where) for e in examples if isinstance(e, LabelledExample)]
    assert got[0] == ("neg film 0\n\nsecond part", ("neg",), "neg/0.txt: row 1")
    assert [g[1] for g in got] == [("neg",), ("neg",), ("pos",), ("pos",)]


def test_folders_globs_and_lists_read_files_in_order_of_their_names(tmp_path: Path) -> None:
    for name, word in (("b.csv", "second"), ("a.csv", "first")):
        (tmp_path / name).write_text(f"text,label\n{word},x\n")
    (tmp_path / ".hidden.csv").write_text("nothing")
    sources: list[Any] = [
        str(tmp_path),
        str(tmp_path / "*.csv"),
        [str(tmp_path / "a.csv"), str(tmp_path / "b.csv")],
    ]
    for source in sources:
        reading = read(source, accepts=LABELLED)
        assert [e.text for e in reading.examples if isinstance(e, LabelledExample)] == [
            "first",
            "second",
        ]
        assert reading.files == (("a.csv", 1), ("b.csv", 1))


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rows.csv").write_text(f"text,label\n{folder},x\n")
    reading = read(str(tmp_path / "*" / "rows.csv"), accepts=LABELLED)
    assert [e.where for e in reading.examples] == [
        "one/rows.csv: row 1 (line 2)",
        "two/rows.csv: row 1 (line 2)",
    ]
    with pytest.raises(DataError, match="named twice"):
        read([str(tmp_path / "one/rows.csv")] * 2, accepts=LABELLED)


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "real.csv").write_text("text,label\na,b\n")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    assert len(read(str(tmp_path / "link.csv"), accepts=LABELLED).examples) == 1


def test_parquet_structs_keep_no_empty_fields(tmp_path: Path) -> None:
    rows = [
        {
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "weight": 1},
            ]
        },
        {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    examples = read(str(tmp_path / "a.parquet"), accepts=(ChatExample,)).examples
    assert [e.messages[1].content for e in examples if isinstance(e, ChatExample)] == ["b", "d"]


def test_parquet_that_states_a_huge_row_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.data import parquet as room

    pyarrow.parquet.write_table(
        pyarrow.table({"text": ["a"], "label": ["b"]}), tmp_path / "a.parquet"
    )
    monkeypatch.setattr(room, "MAX_FILE_BYTES", 10)
    with pytest.raises(DataError, match="row group 0 states"):
        read(str(tmp_path / "a.parquet"), accepts=LABELLED)
