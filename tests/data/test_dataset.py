"""Preparing: what is dropped and why, files of their own, the seal, the fingerprint."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from afina.data import Dataset, SealedTest, prepare
from afina.errors import CorruptError, DataError
from afina.recipe.knobs import Columns, Data, Split
from afina.tasks import Classify, Generate
from afina.types import Example, LabelledExample


def write(file: Path, rows: list[dict[str, Any]]) -> str:
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return str(file)


def labelled(count: int, prefix: str = "row") -> list[dict[str, Any]]:
    return [{"text": f"{prefix} {i}", "label": "ab"[i % 2]} for i in range(count)]


def prepared(folder: Path, rows: list[dict[str, Any]], **data: Any) -> Dataset:
    return prepare(Data(train=write(folder / "train.jsonl", rows), **data), Classify())


def test_every_drop_has_a_reason_and_a_place(tmp_path: Path) -> None:
    rows = [*labelled(40), {"text": "row 3", "label": "b"}, {"text": " ", "label": "a"}]
    rows += [{"text": "x", "label": ""}]
    found = prepared(tmp_path, rows)
    assert found.check.dropped == {"duplicate": 1, "empty_answer": 1, "empty_input": 1}
    places = {d.where: (d.reason, d.instead) for d in found.check.drops}
    assert places == {
        "train.jsonl: row 41": ("duplicate", "train.jsonl: row 4"),
        "train.jsonl: row 42": ("empty_input", ""),
        "train.jsonl: row 43": ("empty_answer", ""),
    }
    assert (found.check.rows, found.check.kept) == (43, 40)


def test_duplicates_can_be_kept_and_stay_together(tmp_path: Path) -> None:
    found = prepared(tmp_path, labelled(20) * 3, duplicates="keep")
    assert (found.check.kept, found.check.exact_duplicates) == (60, 40)
    inputs = [
        {e.text for e in rows if isinstance(e, LabelledExample)}
        for rows in (found.train, found.validation, found.test.open("a test"))
    ]
    assert sum(len(i) for i in inputs) == 20
    assert len({e.id for e in found.train}) == len(found.train)


def test_contradictions_are_listed_and_dropped_only_on_request(tmp_path: Path) -> None:
    rows = [*labelled(30), {"text": "Row 3!", "label": "a"}, {"text": "ROW 3", "label": "b"}]
    found = prepared(tmp_path, rows)
    (contradiction,) = found.check.contradictions
    assert contradiction.answers == ("a", "b")
    assert contradiction.where == (
        "train.jsonl: row 4",
        "train.jsonl: row 31",
        "train.jsonl: row 32",
    )
    assert found.check.dropped == {}
    assert found.check.similar_inputs == 2
    found = prepared(tmp_path, rows, contradictions="drop")
    assert found.check.dropped == {"contradiction": 3}


def test_one_question_with_other_tools_is_no_contradiction(tmp_path: Path) -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    turns = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    other = [turns[0], {"role": "assistant", "content": "b"}]
    more = [
        {"messages": [{"role": "user", "content": f"q{i}"}, turns[1]], "tools": tools}
        for i in range(4)
    ]
    rows = [{"messages": turns}, {"messages": other, "tools": tools}, *more]
    found = prepare(Data(train=write(tmp_path / "a.jsonl", rows)), Generate())
    assert found.check.contradictions == ()


def test_a_limit_draws_by_content(tmp_path: Path) -> None:
    rows = labelled(100)
    found = prepared(tmp_path, rows, limit=30)
    assert found.check.dropped == {"limit": 70}
    again = prepared(tmp_path, rows[::-1], limit=30)
    assert {e.id for e in found.train} == {e.id for e in again.train}


# ---------------------------------------------------------------------------- files of their own


def test_overlap_is_taken_from_train_and_from_validation(tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", [{"text": "Row 1?", "label": "b"}, *labelled(4, "test")])
    dev = write(
        tmp_path / "dev.jsonl",
        [{"text": "ROW 1", "label": "b"}, {"text": "row 2", "label": "a"}, *labelled(4, "dev")],
    )
    found = prepared(tmp_path, labelled(20), validation=dev, test=test)
    assert found.check.dropped == {"in_test": 2, "in_validation": 1}
    assert (len(found.train), len(found.validation), len(found.test)) == (18, 5, 5)
    assert {(d.where, d.instead) for d in found.check.drops} == {
        ("train.jsonl: row 2", "test.jsonl: row 1"),
        ("dev.jsonl: row 1", "test.jsonl: row 1"),
        ("train.jsonl: row 3", "dev.jsonl: row 2"),
    }
    assert "validation and test from files of their own" in found.split_description
    assert "2 rows whose input also stands in test were taken out" in found.split_description


def test_shares_of_what_is_left_to_split(tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", labelled(10, "test"))
    found = prepared(tmp_path, labelled(90), test=test)
    assert (len(found.train), len(found.validation), len(found.test)) == (80, 10, 10)
    none = Split(train=0.9, validation=0, test=0.1)
    found = prepared(tmp_path, labelled(90), test=test, split=none)
    assert (len(found.train), len(found.validation), len(found.test)) == (90, 0, 10)


def test_the_same_rows_twice_are_an_error(tmp_path: Path) -> None:
    same = write(tmp_path / "dev.jsonl", labelled(10)[::-1])
    with pytest.raises(DataError, match="holds the same rows as") as caught:
        prepared(tmp_path, labelled(10), validation=same)
    assert caught.value.where == "data.validation"
    train = str(tmp_path / "train.jsonl")
    with pytest.raises(DataError, match="the same file is"):
        prepare(Data(train=train, test=train), Classify())


def test_a_file_of_its_own_that_has_no_row_left(tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", labelled(10))
    dev = write(tmp_path / "dev.jsonl", labelled(5))
    with pytest.raises(DataError, match="0 rows are left") as caught:
        prepared(tmp_path, labelled(20, "other"), validation=dev, test=test)
    assert caught.value.where == "data.validation"


def test_a_group_column_is_not_asked_of_a_test_file(tmp_path: Path) -> None:
    rows = [{**r, "who": f"p{i % 8}"} for i, r in enumerate(labelled(40))]
    test = write(tmp_path / "test.jsonl", labelled(6, "test"))
    found = prepared(tmp_path, rows, test=test, split=Split(by="group", column="who"))
    assert len(found.test) == 6


def test_labels_that_train_never_sees_are_named(tmp_path: Path) -> None:
    test = write(tmp_path / "test.jsonl", [{"text": "new", "label": "unseen"}])
    found = prepared(tmp_path, labelled(20), test=test)
    assert "test holds labels that no training row has: unseen" in found.check.notes


def test_stated_ids_of_two_files_do_not_collide(tmp_path: Path) -> None:
    rows = [{**r, "n": i} for i, r in enumerate(labelled(20))]
    test = write(
        tmp_path / "test.jsonl", [{**r, "n": i} for i, r in enumerate(labelled(5, "test"))]
    )
    found = prepared(tmp_path, rows, test=test, columns=Columns(id="n"))
    assert set(found.test.ids) == {"0", "1", "2", "3", "4"}
    names = {e.id for e in (*found.train, *found.validation)}
    assert {"train:0", "5"} <= names
    assert not names & set(found.test.ids)


# ---------------------------------------------------------------------------- the seal


def test_the_test_shows_nothing_until_it_is_opened(tmp_path: Path) -> None:
    found = prepared(tmp_path, [{"text": f"secret {i}", "label": "ab"[i % 2]} for i in range(30)])
    assert "secret" not in repr(found) and "secret" not in repr(found.test)
    assert not hasattr(found.test, "__iter__")
    with pytest.raises(ValueError, match="say what it is for"):
        found.test.open("")
    rows = found.test.open(by="evaluation")
    assert len(rows) == len(found.test) == 3
    assert [(o.by, o.sha256, o.rows) for o in found.test.openings] == [
        ("evaluation", found.test.sha256, 3)
    ]


def test_changed_test_rows_do_not_open(tmp_path: Path) -> None:
    rows: list[Example] = [LabelledExample(id="1", where="", text="a", labels=("x",))]
    sealed = SealedTest(rows)
    object.__setattr__(rows[0], "text", "b")
    with pytest.raises(CorruptError, match="not those that were sealed"):
        sealed.open("evaluation")
    assert sealed.openings == ()


def test_the_seal_depends_on_content_only() -> None:
    one = LabelledExample(id="1", where="a", text="a", labels=("x",))
    two = LabelledExample(id="2", where="b", text="b", labels=("x",))
    moved = LabelledExample(id="9", where="c", text="a", labels=("x",))
    assert SealedTest([one, two]).sha256 == SealedTest([two, moved]).sha256
    assert SealedTest([one, two]).sha256 != SealedTest([one]).sha256


# ---------------------------------------------------------------------------- fingerprint, files


def test_the_fingerprint_follows_content_split_and_recipe_only(tmp_path: Path) -> None:
    rows = labelled(30)
    first = prepared(tmp_path, rows).fingerprint
    assert prepared(tmp_path, rows).fingerprint == first
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    assert prepared(moved, rows).fingerprint == first
    assert (
        prepare(Data(train=str(tmp_path / "train.jsonl")), Classify(labels=("a", "b"))).fingerprint
        == first
    )
    assert prepared(tmp_path, rows, split=Split(seed=8)).fingerprint != first
    assert prepared(tmp_path, rows[::-1]).fingerprint != first  # training sees another order
    assert prepared(tmp_path, [*rows, rows[0]]).fingerprint != first
    rows[7] = {"text": "row 7.", "label": "b"}
    assert prepared(tmp_path, rows).fingerprint != first


def test_what_is_written_names_rows_and_holds_no_text(tmp_path: Path) -> None:
    rows = [{"text": f"secret {i}", "label": "ab"[i % 2]} for i in range(30)]
    found = prepared(tmp_path, [*rows, rows[4]])
    folder = tmp_path / "run" / "data"
    found.write(folder)
    assert sorted(p.name for p in folder.iterdir()) == [
        "check.json",
        "dropped.jsonl",
        "fingerprint.json",
        "splits.json",
    ]
    noted = json.loads((folder / "fingerprint.json").read_text())
    assert noted["fingerprint"] == found.fingerprint
    assert noted["test_sha256"] == found.test.sha256
    ids = json.loads((folder / "splits.json").read_text())
    assert ids["train"] == [e.id for e in found.train]
    assert ids["test"] == list(found.test.ids)
    (line,) = (folder / "dropped.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "file": "train.jsonl",
        "row": 31,
        "reason": "duplicate",
        "id": f"{found.check.drops[0].id}",
        "where": "train.jsonl: row 31",
        "instead": "train.jsonl: row 5",
    }
    check = json.loads((folder / "check.json").read_text())
    assert (check["rows"], check["kept"], check["dropped"]) == (31, 30, {"duplicate": 1})
    assert all("secret" not in p.read_text() for p in folder.iterdir())


# ---------------------------------------------------------------------------- the check


def test_what_the_check_counts(tmp_path: Path) -> None:
    rows = [*labelled(20), {"text": "cafÃ© con leche", "label": "a"}]
    rows += [{"text": "lost \ufffd byte", "label": "a"}, {"text": "bell \u0007", "label": "rare"}]
    file = write(tmp_path / "a.jsonl", rows)
    found = prepare(Data(train=file), Classify(), count_tokens=lambda e: 7)
    check = found.check.as_dict()
    assert check["encoding_faults"] == {
        "mojibake": {"rows": 1, "where": ["a.jsonl: row 21"]},
        "replacement_character": {"rows": 1, "where": ["a.jsonl: row 22"]},
        "control_character": {"rows": 1, "where": ["a.jsonl: row 23"]},
    }
    assert check["balance"] == {
        "classes": 3,
        "imbalance": 12.0,
        "smallest": {"rare": 1, "b": 10, "a": 12},
        "counts": {"a": 12, "b": 10, "rare": 1},
    }
    assert check["lengths"]["tokens"] == {
        "least": 7, "median": 7, "p95": 7, "most": 7, "mean": 7.0, "total": 161,
    }  # fmt: skip
    assert check["lengths"]["input_words"]["most"] == 3
    assert any("rare" in note for note in check["notes"])
    assert check["format"] == "jsonl: text and label"
    assert json.dumps(check)


def test_plain_spanish_and_french_are_no_faults(tmp_path: Path) -> None:
    texts = [
        "¿Dónde está el niño? «aquí»",
        "NÃO é possível — “já”",
        "Â la carte, 20 €",
        "naïve Åse",
    ]
    rows = [{"text": t, "label": "ab"[i % 2]} for i, t in enumerate(texts)]
    assert prepared(tmp_path, rows).check.faults == ()


def test_few_rows_are_a_warning(tmp_path: Path) -> None:
    assert any("only 5 rows" in n for n in prepared(tmp_path, labelled(5)).check.notes)


def test_the_work_grows_with_the_rows_not_with_their_square(tmp_path: Path) -> None:
    """Like rows, which near duplicates make dearest: eight times as many, not sixty-four times."""
    spent = {count: _processor_seconds(tmp_path, count) for count in (5_000, 40_000)}
    assert spent[40_000] < 24 * spent[5_000]


def _processor_seconds(tmp_path: Path, count: int) -> float:
    rows = [
        {"text": f"please tell me about order number {i}, it is late again", "label": f"l{i % 20}"}
        for i in range(count)
    ]
    file = write(tmp_path / f"{count}.jsonl", rows)
    begin = time.process_time()
    found = prepare(Data(train=file), Classify())
    seconds = time.process_time() - begin
    assert found.check.kept == count
    return seconds
