"""Files that cannot be used: each error says what, where and what to do, and nothing is written."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from afina.data import prepare, read
from afina.data.rows import MAX_PROBLEMS
from afina.errors import AfinaError, DataError
from afina.recipe.knobs import Columns, Data
from afina.tasks import Classify, Generate
from tests.data.bad_files import FILE_CASES
from tests.data.bad_rows import CHAT, GOOD, LABELLED, PAIRS, ROW_CASES, chat, line


@pytest.mark.parametrize("case", [*FILE_CASES, *ROW_CASES])
def test_the_error_says_what_and_where_and_what_to_do(case: str, tmp_path: Path) -> None:
    name, content, accepts, where, what = (FILE_CASES | ROW_CASES)[case]
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = sorted(os.listdir(tmp_path))
    task = Classify() if accepts == LABELLED else Generate()
    with pytest.raises(DataError) as caught:
        # No task takes pairs yet, so those are only read.
        read(str(file), accepts=PAIRS) if accepts == PAIRS else prepare(Data(train=str(file)), task)
    error = caught.value
    assert error.exit_code == 2
    assert where in error.where
    assert what in error.what or what in error.do
    assert error.do
    assert "Traceback" not in str(error)
    assert error.as_json()["error"]["what"]
    assert sorted(os.listdir(tmp_path)) == before


def packed_bomb(folder: Path) -> Path:
    file = folder / "bomb.jsonl.gz"
    with gzip.open(file, "wb") as stream:
        for _ in range(130):
            stream.write(b" " * (2**20 - 1) + b"\n")
    return file


def truncated_parquet(folder: Path) -> Path:
    file = folder / "cut.parquet"
    table = pyarrow.table({"text": ["a"] * 50, "label": ["b"] * 50})
    pyarrow.parquet.write_table(table, file)
    file.write_bytes(file.read_bytes()[:-20])
    return file


def truncated_gzip(folder: Path) -> Path:
    file = folder / "cut.jsonl.gz"
    file.write_bytes(gzip.compress(os.urandom(4000).hex().encode())[:-2000])
    return file


def fifo(folder: Path) -> Path:
    file = folder / "pipe.jsonl"
    os.mkfifo(file)
    return file


def device(folder: Path) -> Path:
    file = folder / "zero.jsonl"
    file.symlink_to("/dev/zero")
    return file


def machinery(folder: Path) -> Path:
    file = folder / "environ.jsonl"
    file.symlink_to("/proc/self/environ")
    return file


def long_line(folder: Path) -> Path:
    file = folder / "long.jsonl"
    with file.open("wb") as stream:
        stream.truncate(200 * 2**20)  # sparse: zeros without a line end
    return file


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def mixed_folder(folder: Path) -> Path:
    inner = folder / "mixed"
    inner.mkdir()
    (inner / "a.csv").write_text("text,label\na,b\n")
    (inner / "README.txt").write_text("read me")
    return inner


def folder_of_splits(folder: Path) -> Path:
    inner = folder / "splits"
    inner.mkdir()
    for part in ("train", "test"):
        (inner / f"{part}.csv").write_text("text,label\na,b\n")
    return inner


def missing(folder: Path) -> Path:
    (folder / "tickets.csv").write_text("text,label\na,b\n")
    return folder / "ticket.csv"


def script(folder: Path) -> Path:
    return Path("someone/loader.py")


def pattern(folder: Path) -> Path:
    return folder / "*.jsonl"


OTHER_CASES: list[tuple[Callable[[Path], Path], str, str]] = [
    (missing, "no such file", "tickets.csv"),
    (packed_bomb, "grows more than 200 times", "unpack it yourself"),
    (truncated_gzip, "damaged or not whole", "again"),
    (truncated_parquet, "not a whole Parquet file", "again"),
    (fifo, "not a regular file", "pipe"),
    (device, "not a regular file", "device"),
    (machinery, "not a regular file", "system"),
    (long_line, "longer than 16,777,216 bytes", "one row a line"),
    (empty_folder, "no file of a known kind", ".jsonl"),
    (mixed_folder, "both tables and texts", "*.csv"),
    (folder_of_splits, "different splits", "data.test"),
    (script, "would run code", "Parquet"),
    (pattern, "no file matches", "pattern"),
]


@pytest.mark.parametrize(
    ("make", "what", "do"), OTHER_CASES, ids=lambda c: getattr(c, "__name__", "")
)
def test_what_is_no_readable_file_is_refused(
    make: Callable[[Path], Path], what: str, do: str, tmp_path: Path
) -> None:
    source = make(tmp_path)
    with pytest.raises(DataError) as caught:
        read(str(source), accepts=CHAT)
    assert what in caught.value.what
    assert do in caught.value.do
    assert source.name in caught.value.where


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "closed.csv"
    file.write_text("text,label\na,b\n")
    file.chmod(0)
    may = os.access
    if may(file, os.R_OK):  # root may read everything: the answer that others get is given to it
        monkeypatch.setattr(os, "access", lambda path, mode: path != file and may(path, mode))
    with pytest.raises(DataError, match="permission denied") as caught:
        read(str(file))
    assert caught.value.do == f"chmod u+r {file}"


def test_all_problems_of_a_file_are_told_up_to_fifty(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text(GOOD + line(prompt=1, completion="a") * 3 + GOOD)
    with pytest.raises(DataError) as caught:
        read(str(file), accepts=CHAT)
    assert caught.value.where == "a.jsonl: row 2, column prompt"
    assert [p.split(":")[1].strip() for p in caught.value.problems] == [
        "row 3, column prompt",
        "row 4, column prompt",
    ]
    file.write_text(line(prompt=1, completion="a") * 500)
    with pytest.raises(DataError) as caught:
        read(str(file), accepts=CHAT)
    assert len(caught.value.problems) == MAX_PROBLEMS
    assert "the rest was not read" in caught.value.problems[-1]


def test_the_nearest_role_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    for said, meant in (
        ("bot", "assistant"),
        ("human", "user"),
        ("System ", "system"),
        ("asistant", "assistant"),
    ):
        file.write_text(chat({"role": said, "content": "a"}))
        with pytest.raises(DataError) as caught:
            read(str(file), accepts=CHAT)
        assert caught.value.do == f"did you mean {meant}?"


def test_a_column_that_the_recipe_names_must_exist(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("body,queue\na,b\n")
    with pytest.raises(DataError) as caught:
        read(str(file), Columns(text="body", label="queu"), accepts=LABELLED)
    assert caught.value.where == "a.csv: row 1 (line 2)"
    assert caught.value.do == "did you mean queue?"


def test_an_unknown_encoding_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,b\n")
    for encoding in ("utf-7000", "hex", "rot13"):
        with pytest.raises(DataError) as caught:
            read(str(file), encoding=encoding, accepts=LABELLED)
        assert caught.value.where == "data.encoding"


def test_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.data import formats, reading
    from afina.data.rows import Row

    file = tmp_path / "a.jsonl"
    file.write_text(GOOD * 5)
    original = formats.rows_of

    def growing(*args: Any) -> Any:
        for row in original(*args):
            assert isinstance(row, Row)
            with file.open("a") as stream:
                stream.write("\n")
            yield row

    monkeypatch.setattr(reading, "rows_of", growing)
    with pytest.raises(AfinaError, match="changed while it was read"):
        read(str(file), accepts=CHAT)


def test_one_stated_id_for_two_rows(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("id,text,label\n1,a,b\n2,c,d\n1,e,f\n")
    with pytest.raises(DataError, match="'1' stands on different rows") as caught:
        read(str(file), Columns(id="id"), accepts=LABELLED)
    assert caught.value.where == "a.csv: row 3 (line 4)"
