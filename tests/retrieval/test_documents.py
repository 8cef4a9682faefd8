"""Documents: what is read, what is left out and said, what is refused."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from afina.errors import DataError
from afina.retrieval import Document, cut, read_documents
from afina.retrieval.bm25 import words_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.txt").write_text("hidden", "utf-8")
    (tmp_path / "b.md").write_text("# Título\n\nLa caldera está en el sótano.\n", "utf-8")
    (tmp_path / "deep" / "er" / "a.txt").write_text("Deep down.", "utf-8")
    (tmp_path / "empty.txt").write_text(" \n", "utf-8")
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / "rows.jsonl").write_text(
        json.dumps({"id": 7, "text": "Seven."}) + "\n" + json.dumps({"id": "x", "text": " "}) + "\n"
    )
    return tmp_path


def test_a_folder_is_read_whole_and_in_order(folder: Path) -> None:
    found = read_documents(str(folder))
    assert [d.id for d in found.items] == ["b.md", "deep/er/a.txt", "7"]
    assert found.items[0].text == "# Título\n\nLa caldera está en el sótano.\n"
    assert found.left_out == (
        ("empty.txt", "it is empty"),
        ("photo.png", "the kind of file .png"),
        ("rows.jsonl: row 2", "it is empty"),
    )


def test_rows_without_an_id_are_numbered_and_packed_files_read(tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl.gz"
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write('{"content": "one"}\n{"content": "two"}\n')
    assert [d.id for d in read_documents(str(path)).items] == [
        "notes.jsonl.gz#1",
        "notes.jsonl.gz#2",
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("rows.jsonl", '{"title": "no text"}\n', "no column holds the text"),
        ("rows.jsonl", '{"text": "a"}\n{"text": 5}\n', "5 is no text"),
        ("rows.jsonl", '{"id": [1], "text": "a"}\n', "is no id"),
        ("rows.jsonl", '{"id": "a", "text": "a"}\n{"id": "a", "text": "b"}\n', "two documents"),
        ("only.pdf", "%PDF-1.7", "no document"),
        ("only.txt", "\n", "no document"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises(DataError) as caught:
        read_documents(str(tmp_path))
    assert says in str(caught.value)
    assert caught.value.do


def test_a_path_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "manuals").mkdir()
    with pytest.raises(DataError, match="did you mean manuals"):
        read_documents(str(tmp_path / "manual"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("calefacción".encode("latin-1"))
    with pytest.raises(DataError, match="not UTF-8"):
        read_documents(str(tmp_path))


# ---------------------------------------------------------------------------- passages

STORY = " ".join(f"Sentence {i} has exactly six words." for i in range(20))


def test_passages_hold_whole_sentences_and_overlap() -> None:
    passages = cut([Document("d", STORY, "d")], words=20, overlap=6)
    assert all(len(p.text.split()) <= 20 for p in passages)
    assert passages[0].text.endswith("Sentence 2 has exactly six words.")
    assert passages[1].text.startswith("Sentence 2 has")
    assert [p.id for p in passages[:2]] == ["d#1", "d#2"]


@pytest.mark.parametrize(("words", "overlap"), [(1, 0), (5, 2), (7, 6), (20, 0), (400, 50)])
def test_no_word_is_lost_and_none_is_out_of_order(words: int, overlap: int) -> None:
    text = STORY + " An endless one: " + " ".join(f"w{i}" for i in range(30)) + ". End"
    passages = cut([Document("d", text, "d")], words, overlap)
    assert all(0 < len(p.text.split()) <= words for p in passages)
    rest = text.split()
    for passage in passages:
        own = passage.text.split()
        # Each passage goes on where the last one stopped, apart from what it repeats.
        repeated = next(k for k in range(len(own)) if own[k:] == rest[: len(own) - k])
        assert repeated <= overlap
        rest = rest[len(own) - repeated :]
    assert rest == []


def test_a_passage_that_does_not_fit_is_halved() -> None:
    text = "one two three four five " + "x" * 40
    passages = cut([Document("d", text, "d")], 100, 0, fits=lambda t: len(t) <= 12)
    assert all(len(p.text) <= 12 for p in passages)
    assert "".join(p.text for p in passages).replace(" ", "") == text.replace(" ", "")


def test_words_are_told_apart_without_case_and_accents() -> None:
    assert words_of("¡La CALEFACCIÓN, 30 º!") == ["la", "calefaccion", "30", "o"]
