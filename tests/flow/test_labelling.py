"""Texts without labels: the doubtful first, filled in by several, back as rows with their agreement."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from afina.data import prepare
from afina.recipe import load_recipe
from tests.cli.conftest import json_of

WORDS = {"light": "lamp bulb bright", "heat": "warm radiator cold", "door": "lock key open"}


def texts(label: str, count: int) -> list[str]:
    words = WORDS[label].split()
    return [f"the {words[i % 3]} in room {i} {words[(i + 1) % 3]}" for i in range(count)]


def recipe(folder: Path, task: Any = "classify", rows: list[dict[str, Any]] | None = None) -> str:
    if rows is None:
        rows = [{"text": text, "label": label} for label in WORDS for text in texts(label, 20)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines) if rows else None
    path = folder / "recipe.yaml"
    data = {"train": str(folder / "rows.jsonl")}
    path.write_text(json.dumps({"task": task, "base": "nowhere", "data": data}))
    return str(path)


def asked(folder: Path, *lines: str) -> str:
    path = folder / "asked.txt"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return str(path)


def made(folder: Path, path: str, source: str, *words: str) -> tuple[int, dict[str, Any]]:
    out = str(folder / "form")
    return json_of(["label", path, "--texts", source, "--out", out, *words])


def filled(folder: Path, name: str, right: dict[str, str]) -> str:
    """A copy of the form in which a person answered by the text."""
    with (folder / "form" / "form.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    path = folder / f"{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"right": right.get(row["input"], "")} for row in rows)
    return str(path)


def test_the_doubtful_come_first_and_what_is_known_does_not_come(tmp_path: Path) -> None:
    doubtful, plain = "the lamp is warm", "open the lock with the key"
    source = asked(tmp_path, plain, doubtful, texts("heat", 1)[0].upper(), doubtful + "!")
    code, facts = made(tmp_path, recipe(tmp_path), source)
    assert code == 0, facts
    assert facts["labels"] == ["door", "heat", "light"] and facts["ordered_by"] == "doubt"
    assert (facts["rows"], facts["known_already"], facts["beyond"]) == (2, 2, 0)
    lines = (tmp_path / "form" / "form.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["input"] for line in lines] == [doubtful, plain]
    code, _ = made(tmp_path, recipe(tmp_path), source)
    assert code == 2, "nothing is written over"


def test_what_most_answer_becomes_rows(tmp_path: Path) -> None:
    said = {"a lamp": "light", "a key": "door", "hm": "heat", "who": ""}
    source = asked(tmp_path, *said)
    assert made(tmp_path, recipe(tmp_path), source)[0] == 0
    people = [
        filled(tmp_path, "ana", said),
        filled(tmp_path, "luis", said | {"hm": "door"}),
    ]
    out = tmp_path / "new.jsonl"
    code, facts = json_of(["label", str(tmp_path / "form"), *people, "--out", str(out)])
    assert code == 0, facts
    assert (facts["rows"], facts["open"], facts["skipped"]) == (2, 1, 1)
    kappa = next(a for a in facts["agreement"] if a["measure"] == "cohen_kappa")
    assert kappa["rows"] == 3 and 0 < kappa["value"] < 1
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert sorted((row["text"], row["label"]) for row in rows) == [
        ("a key", "door"), ("a lamp", "light"),
    ]  # fmt: skip
    text = (tmp_path / "new.open.csv").read_text("utf-8-sig")
    assert "hm,heat,door" in text
    both = json.dumps([str(tmp_path / "rows.jsonl"), str(out)])
    whole = load_recipe(Path(recipe(tmp_path)), [f"data.train={both}"])
    data = prepare(whole.data, whole.task, shapes=whole.shapes)
    assert len(data.train) + len(data.validation) + len(data.test) == 62


@pytest.mark.parametrize(
    ("task", "rows", "right", "row"),
    [
        ({"name": "classify", "labels": ["a", "b"], "several": True}, [], "b | a",
         {"text": "one", "label": ["a", "b"]}),
        ({"name": "classify", "labels": ["a", "b"], "several": True}, [], "-",
         {"text": "one", "label": []}),
        ("regress", [{"text": f"row {i}", "number": i} for i in range(30)], "2.5",
         {"text": "one", "number": 2.5}),
        ("generate", [{"prompt": f"ask {i}", "completion": f"say {i}"} for i in range(30)], "=yes",
         {"prompt": "one", "completion": "=yes"}),
    ],
)  # fmt: skip
def test_other_answers(
    tmp_path: Path, task: Any, rows: list[dict[str, Any]], right: str, row: dict[str, Any]
) -> None:
    """With stated labels no row is needed yet."""
    code, facts = made(tmp_path, recipe(tmp_path, task, rows), asked(tmp_path, "one", "two"))
    assert (code, facts["ordered_by"]) == (0, "chance"), facts
    person = filled(tmp_path, "ana", {"one": right})
    code, facts = json_of(["label", str(tmp_path / "form"), person])
    assert code == 0 and facts["agreement"] == [] and facts["skipped"] == 1, facts
    (line,) = (tmp_path / "form" / "labelled.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line) == row


@pytest.mark.parametrize(
    ("right", "change", "says"),
    [
        ({"a lamp": "lite"}, None, "no label is called lite"),
        ({"a lamp": "light | door"}, None, "several labels"),
        ({}, None, "nobody has answered"),
        ({"a lamp": "light"}, ("a lamp", "a bulb"), "was changed"),
        ({"a lamp": "light"}, ("-2,", "-3,"), "not this form"),
    ],
)
def test_what_cannot_be_taken_is_named(
    tmp_path: Path, right: dict[str, str], change: tuple[str, str] | None, says: str
) -> None:
    made(tmp_path, recipe(tmp_path), asked(tmp_path, "a lamp", "a key"))
    path = Path(filled(tmp_path, "ana", right))
    if change:
        path.write_text(path.read_text("utf-8").replace(*change), "utf-8")
    code, told = json_of(["label", str(tmp_path / "form"), str(path)])
    assert code == 2 and says in told["error"]["what"], told
    assert not (tmp_path / "form" / "labelled.jsonl").exists()


def test_what_has_no_form_is_refused(tmp_path: Path) -> None:
    source = asked(tmp_path, "one")
    rows = [{"tokens": ["a", "b"], "tags": ["O", "B-X"]} for _ in range(30)]
    code, told = made(tmp_path, recipe(tmp_path, "tag", rows), source)
    assert code == 2 and "Label Studio" in told["error"]["do"], told
    code, told = made(tmp_path, recipe(tmp_path), asked(tmp_path, texts("door", 1)[0]))
    assert code == 2 and "no text in it is new" in told["error"]["what"]
    code, told = json_of(["label", recipe(tmp_path)])
    assert code == 2 and "--texts" in told["error"]["do"]
