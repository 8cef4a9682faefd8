"""The cleaned copy: nothing lost, every change listed, redaction undone to the letter."""

from __future__ import annotations

import csv
import datetime
import json
import random
import stat
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.data import Dataset, prepare
from afina.data.content import content_id
from afina.data.mend import Mended, decoded_again, mend
from afina.data.personal import Redactor, restore, scan
from afina.errors import DataError, RequestError
from afina.recipe.knobs import Data
from afina.tasks import Classify
from tests.data.planted import made
from tests.data.planted_people import PEOPLE


def sentence(dice: random.Random) -> str:
    make = PEOPLE[dice.choice(list(PEOPLE))]
    text, _ = made(1, dice.randint(0, 50))[0]
    return f"{text} {make(dice)}, {text}"


@given(st.integers(0, 10**6), st.text(max_size=40))
@settings(max_examples=150, deadline=None)
def test_redaction_is_undone_to_the_letter(seed: int, noise: str) -> None:
    dice = random.Random(seed)
    texts = [sentence(dice) + noise for _ in range(4)]
    texts += ["<EMAIL_1> and <PHONE_2.3> stood there before", noise]
    redactor = Redactor(reversible=True)
    redacted = [redactor.text(text) for text in texts]
    assert [restore(text, redactor.keys) for text in redacted] == texts


def test_nothing_that_was_found_is_left() -> None:
    dice = random.Random(7)
    for reversible in (True, False):
        redactor = Redactor(reversible=reversible)
        for _ in range(500):
            text = sentence(dice)
            hits = scan(text)
            after = redactor.text(text)
            assert all(text[hit.start : hit.end] not in after for hit in hits)
            assert scan(after) == []
        assert bool(redactor.keys) is reversible
        assert sum(redactor.counts.values()) >= 490


def test_one_value_has_one_token() -> None:
    redactor = Redactor(reversible=True)
    assert redactor.text("a@example.com b@example.com a@example.com") == (
        "<EMAIL_1> <EMAIL_2> <EMAIL_1>"
    )
    assert redactor.text("+34 600 111 222, 600111222") == "<PHONE_1>, <PHONE_1.2>"
    final = Redactor(reversible=False)
    assert final.text("a@example.com b@example.com") == "<EMAIL> <EMAIL>"
    assert final.value({"a": ["a@example.com", 3, None]}) == {"a": ["<EMAIL>", 3, None]}


@pytest.mark.parametrize(
    "text", ["señal", "¿Cuándo llegará?", "el niño comió en casa de Íñigo", "naïve – “quoted” …"]
)
def test_a_wrong_decoding_is_undone(text: str) -> None:
    for encoding in ("cp1252", "latin-1"):
        try:
            spoiled = text.encode("utf-8").decode(encoding)
        except UnicodeDecodeError:
            continue
        assert decoded_again(spoiled) == text
    assert decoded_again(text) == text


# ---------------------------------------------------------------------------- files


def rows(dice: random.Random) -> list[dict[str, str]]:
    found = [{"text": t, "label": n, "note": f"note {i}"} for i, (t, n) in enumerate(made(60))]
    found[5]["text"] += " or write to ana@example.com"
    found[6]["note"] = "she is ana@example.com"
    found[7]["text"] = "¿Cuándo llegará mi señal?".encode().decode("cp1252")
    found[8]["text"] += "\x07"
    found.append(dict(found[3]))
    found.append({"text": "", "label": "parcel", "note": ""})
    dice.shuffle(found)
    return found


def write(file: Path, some: list[dict[str, str]]) -> str:
    if file.suffix == ".csv":
        with file.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(some[0]))
            writer.writeheader()
            writer.writerows(some)
    else:
        file.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in some), "utf-8")
    return str(file)


def mended(folder: Path, data: Data, **options: Any) -> tuple[Dataset, Mended]:
    dataset = prepare(data, Classify(), thorough=True)
    return dataset, mend(data, Classify().accepts, dataset.check, folder / "out", **options)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_the_copy_is_clean_and_the_original_is_untouched(suffix: str, tmp_path: Path) -> None:
    file = write(tmp_path / f"a{suffix}", rows(random.Random(1)))
    before = Path(file).read_bytes()
    dataset, done = mended(tmp_path, Data(train=file))
    assert Path(file).read_bytes() == before
    assert dict(done.removed) == dataset.check.dropped == {"duplicate": 1, "empty_input": 1}
    assert done.changed == {"encoding": 1, "control_character": 1}
    assert (done.rows, done.keys) == ({"train": 60}, None)
    again = prepare(Data(train=done.files["train"]), Classify())
    assert again.check.dropped == {}
    assert again.check.faults == ()
    assert again.check.kept == dataset.check.kept
    old, new = (
        {content_id(e) for e in (*d.train, *d.validation, *d.test.open("a test"))}
        for d in (dataset, again)
    )
    assert len(old - new) == len(new - old) == 2  # the mended rows
    written = [json.loads(line) for line in Path(done.files["train"]).read_text().splitlines()]
    assert {tuple(row) for row in written} == {("text", "label", "note")}
    changes = [
        json.loads(line) for line in (tmp_path / "out/changes.jsonl").read_text().splitlines()
    ]
    assert Counter(c["reason"] for c in changes) == {
        "duplicate": 1,
        "empty_input": 1,
        "encoding": 1,
        "control_character": 1,
    }
    assert all(c["file"] == f"a{suffix}" and c["row"] for c in changes)


def test_a_reversible_redaction_of_whole_files(tmp_path: Path) -> None:
    """Also in columns that nobody learns from; the keys are for the owner alone."""
    some = rows(random.Random(2))
    test = [{"text": f"{t} ok", "label": n, "note": "ana@example.com"} for t, n in made(20, 77)]
    files = {"train": write(tmp_path / "a.csv", some), "test": write(tmp_path / "t.jsonl", test)}
    _, done = mended(tmp_path, Data(**files, near_duplicates="keep"), redact="reversible")
    assert done.changed["personal"] == 22
    assert done.keys is not None
    keys = Path(done.keys)
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert json.loads(keys.read_text()) == {"<EMAIL_1>": "ana@example.com"}
    for file in done.files.values():
        text = Path(file).read_text()
        assert "ana@example.com" not in text
        assert "<EMAIL_1>" in text
        assert "ana@example.com" in restore(text, json.loads(keys.read_text()))
    assert "ana@" not in (tmp_path / "out/changes.jsonl").read_text()


def test_a_final_redaction_has_no_keys(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(random.Random(3)))
    _, done = mended(tmp_path, Data(train=file), redact="final")
    assert done.keys is None
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["changes.jsonl", "train.jsonl"]
    assert "<EMAIL>" in Path(done.files["train"]).read_text()


def test_rows_with_a_finding_go_only_on_request(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(random.Random(4)))
    dataset, done = mended(tmp_path, Data(train=file), remove=["personal"])
    assert done.removed == {"duplicate": 1, "empty_input": 1, "personal": 1}
    assert dataset.check.quality is not None
    (found,) = dataset.check.quality.sections["personal"].findings
    assert (found.kind, found.facts["data"], found.facts["column"]) == ("personal", "email", "text")
    assert "ana@example.com" not in json.dumps(dataset.check.as_dict())


def test_columns_of_a_table_are_kept_as_json_has_them(tmp_path: Path) -> None:
    """Whatever the task does not use: dates, decimals, missing numbers; bytes are refused by name."""
    rows = 40
    columns: dict[str, Any] = {
        "text": [f"row number {i} says a thing" for i in range(rows)],
        "label": ["ab"[i % 2] for i in range(rows)],
        "price": [Decimal("1.50"), Decimal("12345678901234567890")] * (rows // 2),
        "seen": [datetime.time(9, 30)] * rows,
        "size": [1.5, float("nan")] * (rows // 2),
    }

    def cleaned(name: str) -> Mended:
        path = tmp_path / f"{name}.parquet"
        pyarrow.parquet.write_table(pyarrow.table(columns), path)
        data = Data(train=str(path))
        dataset = prepare(data, Classify(), thorough=True)
        return mend(data, Classify.accepts, dataset.check, tmp_path / name)

    done = cleaned("fine")
    lines = (tmp_path / "fine" / "train.jsonl").read_text("utf-8").splitlines()
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [row["price"] for row in found[:2]] == [1.5, 12345678901234567890]
    assert [row["size"] for row in found[:2]] == [1.5, None] and found[0]["seen"] == "09:30:00"
    assert done.changed == {"not_a_number": rows // 2}
    columns["raw"] = [b"xx"] * rows
    with pytest.raises(DataError, match=r"the column raw holds b'xx' \(bytes\)") as told:
        cleaned("raw")
    assert told.value.where == "raw.parquet: row 1"
    assert list((tmp_path / "raw").iterdir()) == []


def test_nothing_is_written_over(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", rows(random.Random(5)))
    (tmp_path / "out").mkdir()
    (tmp_path / "out/x").write_text("mine")
    with pytest.raises(RequestError, match="nothing is written over"):
        mended(tmp_path, Data(train=file))
    with pytest.raises(RequestError, match="no finding is of the kind persona") as caught:
        mended(tmp_path, Data(train=file), remove=["persona"])
    assert "personal" in caught.value.do
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.jsonl", "out"]
