"""Files of labelled stretches: columns of words, offsets, annotations of tools."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afina.data import Reading, read
from afina.errors import DataError
from afina.types import TaggedExample

TAGGED = (TaggedExample,)
TEXT = "Ana vive en Sao Paulo"
EXPECTED = [(0, 3, "PER"), (12, 21, "LOC")]
SPANS = [[0, 3, "PER"], [12, 21, "LOC"]]
RESULT = [
    {"type": "labels", "value": {"start": 12, "end": 21, "text": "Sao Paulo", "labels": ["LOC"]}},
    {"type": "labels", "value": {"start": 0, "end": 3, "labels": ["PER"]}},
]
OBJECTS = [{"start": s, "end": e, "label": name} for s, e, name in SPANS]
FORMS: dict[str, Any] = {
    "tokens and tags": {
        "tokens": TEXT.split(),
        "ner_tags": ["B-PER", "O", "O", "B-LOC", "I-LOC"],
    },
    "lists as text": {
        "tokens": str(TEXT.split()),
        "tags": '["B-PER", "O", "O", "B-LOC", "I-LOC"]',
    },
    "doccano": {"id": 1, "text": TEXT, "label": SPANS},
    "doccano with relations": {
        "text": TEXT,
        "entities": [{"id": i, "start_offset": s, "end_offset": e, "label": name}
                     for i, (s, e, name) in enumerate(SPANS)],
        "relations": [],
    },
    "spans": {"text": TEXT, "spans": OBJECTS},
    "spaCy": [TEXT, {"entities": SPANS}],
    "Label Studio": {"data": {"text": TEXT}, "annotations": [{"result": RESULT}]},
    "Label Studio, short": {"text": TEXT, "label": [r["value"] for r in RESULT]},
}  # fmt: skip


def reading(folder: Path, *rows: Any, name: str = "rows.json") -> Reading:
    file = folder / name
    lines = [json.dumps(r) for r in rows]
    file.write_text("\n".join(lines) if name.endswith("l") else f"[{','.join(lines)}]", "utf-8")
    return read(str(file), accepts=TAGGED)


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("form", FORMS)
def test_forms(form: str, name: str, tmp_path: Path) -> None:
    if form == "spaCy" and name == "rows.jsonl":
        pytest.skip("a file of lists is read as one array")
    (example,) = reading(tmp_path, FORMS[form], name=name).examples
    assert isinstance(example, TaggedExample)
    assert example.text == TEXT
    assert [s.key for s in example.spans] == EXPECTED
    assert [s.text for s in example.spans] == ["Ana", "Sao Paulo"]


@pytest.mark.parametrize("suffix", [".conll", ".iob2", ".testa", ".txt"])
def test_columns(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"esp{suffix}"
    file.write_text(
        "-DOCSTART- -X- O\n\nAna NP B-PER\nvive V O\n\n\nSao\tNC\tI-LOC\nPaulo\tNC\tI-LOC\n. F O"
    )
    found = read(str(file), accepts=TAGGED)
    assert [(e.text, [s.key for s in e.spans]) for e in found.examples] == [  # type: ignore[attr-defined]
        ("Ana vive", [(0, 3, "PER")]),
        ("Sao Paulo .", [(0, 9, "LOC")]),
    ]
    assert [e.where for e in found.examples] == [
        f"esp{suffix}: row 1 (line 3)",
        f"esp{suffix}: row 2 (line 7)",
    ]
    assert any("-DOCSTART-" in note for note in found.notes)


@pytest.mark.parametrize("line", ["alone", "a b c O extra", "a b"])
def test_a_line_with_other_columns_is_named(line: str, tmp_path: Path) -> None:
    file = tmp_path / "a.conll"
    file.write_text(f"Ana NP O\n{line}\n\n")
    with pytest.raises(DataError) as caught:
        read(str(file), accepts=TAGGED)
    assert caught.value.where == "a.conll: line 2"


BAD: dict[str, tuple[Any, str]] = {
    "fewer tags": ({"tokens": ["a", "b"], "tags": ["O"]}, "1 tags for 2 words"),
    "tags are numbers": ({"tokens": ["a"], "tags": [3]}, "the tag is a number"),
    "a word with a space": ({"tokens": ["a b"], "tags": ["O"]}, "is no word"),
    "beyond the text": ({"text": "abc", "spans": [[0, 9, "X"]]}, "characters 0 to 9"),
    "turned round": ({"text": "abc", "spans": [[2, 1, "X"]]}, "characters 2 to 1"),
    "of spaces": ({"text": "a  b", "spans": [[1, 3, "X"]]}, "characters 1 to 3"),
    "no label": ({"text": "abc", "spans": [[0, 3]]}, "no labelled stretch"),
    "two labels": ({"text": "abc", "spans": [{"start": 0, "end": 3, "labels": ["X", "Y"]}]},
                   "no labelled stretch"),
    "overlap": ({"text": "a b c", "spans": [[0, 3, "X"], [2, 5, "Y"]]}, "overlap"),
    "overlap once whole words": ({"text": "abcd", "spans": [[0, 2, "X"], [2, 4, "Y"]]}, "overlap"),
    "no list": ({"text": "abc", "spans": "X"}, "where a list"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    row, words = BAD[name]
    with pytest.raises(DataError, match=words) as caught:
        reading(tmp_path, row)
    assert caught.value.where.startswith("rows.json: row 1")


def test_what_is_mended_is_said(tmp_path: Path) -> None:
    row = {"text": "las Madrileñas ", "spans": [[3, 10, "X"]]}
    found = reading(tmp_path, row)
    (example,) = found.examples
    assert isinstance(example, TaggedExample)
    assert example.spans[0].key == (4, 14, "X")
    assert any("widened to whole words" in note for note in found.notes)


def test_rows_that_nobody_labelled_are_listed(tmp_path: Path) -> None:
    cancelled = {"was_cancelled": True, "result": RESULT}
    data = {"data": {"text": TEXT}}
    rows = [{**data, "annotations": made} for made in ([], [cancelled], [{"result": []}])]
    found = reading(tmp_path, *rows)
    assert [d.reason for d in found.dropped] == ["empty_answer"] * 2
    assert len(found.examples) == 1


def test_a_text_file_of_other_tasks_stays_text(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one O\ntwo O\n")
    assert read(str(file)).format == "txt: raw text"
