"""A review of rows, from planted wrong labels to a cleaned file: form, decisions, agreement."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from afina.data import review
from afina.data.review import outcome, with_answer
from afina.errors import DataError
from afina.models.sources import Base
from afina.recipe import Columns
from afina.types import LabelledExample, NumberExample
from tests.cli.conftest import json_of
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
WORDS = {"bill": "money refund invoice charge", "post": "parcel box late courier"}
FLIPPED = 6


@pytest.fixture(scope="module")
def recipe(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of two clear classes, a few with the wrong label, and two that contradict each other."""
    folder = tmp_path_factory.mktemp("review")
    dice = random.Random(4)
    lines = ["text,label,source"]
    for n in range(160):
        label = "bill" if n % 2 else "post"
        said = " ".join(dice.sample(WORDS[label].split(), 3))
        given = label if n >= FLIPPED else ("post" if label == "bill" else "bill")
        lines.append(f"{said} number {n},{given},desk {n % 3}")
    lines += ["the same question,bill,desk 1", "The same question!,post,desk 2"]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    path = folder / "recipe.yaml"
    path.write_text(
        f"task: classify\nbase: {tiny('minilm').folder}\ndata: {{train: rows.csv}}\n", "utf-8"
    )
    return path


def check(recipe: Path, *words: str) -> tuple[int, dict[str, Any]]:
    return json_of(["check", str(recipe), *words, "--home", str(recipe.parent / "home")])


@pytest.fixture(scope="module")
def form(recipe: Path) -> list[dict[str, str]]:
    folder = recipe.parent / "form"
    code, found = check(recipe, "--review", "50", "--out", str(folder))
    assert code == 0, found
    with (folder / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert found["review"]["rows"] == len(rows) and found["review"]["beyond"] == 0
    lines = (folder / "review.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line) for line in lines] == rows
    return rows


def right_label(text: str) -> str:
    return "bill" if any(word in text for word in WORDS["bill"].split()) else "post"


def decide(row: Mapping[str, str]) -> dict[str, str]:
    """As somebody who knows decides: the true label; of the contradiction only ``bill`` stays."""
    if "same question" in row["input"].lower():
        return {"decision": "keep" if row["answer"] == "bill" else "drop", "right": ""}
    true = right_label(row["input"])
    if true == row["answer"]:
        return {"decision": "keep", "right": ""}
    return {"decision": "change", "right": true}


def fill(
    recipe: Path, form: list[dict[str, str]], name: str, how: Callable[[Any], Any] = decide
) -> str:
    path = recipe.parent / name
    path.write_text("".join(json.dumps(row | how(row)) + "\n" for row in form), "utf-8")
    return str(path)


def test_the_planted_rows_are_in_the_form_and_the_test_is_not(
    recipe: Path, form: list[dict[str, str]]
) -> None:
    asked = [row["input"] for row in form]
    planted = [row for row in form if row["answer"] != right_label(row["input"])
               and "same" not in row["input"].lower()]  # fmt: skip
    assert len(planted) >= FLIPPED - 2, "those that fell into the test are not shown"
    assert all(row["suggested"] == right_label(row["input"]) for row in planted)
    contradiction = [row for row in form if "same question" in row["input"].lower()]
    assert len(contradiction) in (0, 2)
    for row in contradiction:
        assert "2 rows ask this, 2 answers" in row["why"]
    assert len(set(asked)) == len(asked)


def test_decisions_of_one_are_written_with_where_they_come_from(
    recipe: Path, form: list[dict[str, str]]
) -> None:
    out = recipe.parent / "one"
    code, found = check(
        recipe, "--fix", "--reviewed", fill(recipe, form, "ana.jsonl"), "--out", str(out)
    )
    assert code == 0, found
    told = found["reviewed"]
    wished = [decide(row)["decision"] for row in form]
    assert told["changed"] == wished.count("change") >= 4
    assert told["dropped"] == wished.count("drop") and told["kept"] == wished.count("keep")
    rows = [json.loads(line) for line in (out / "train.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 162 - told["dropped"]
    by_text = {row["text"]: row for row in rows}
    for row in form:
        if decide(row)["decision"] == "change":
            assert by_text[row["input"]]["label"] == decide(row)["right"]
            assert by_text[row["input"]]["source"].startswith("desk")
    changes = [json.loads(line) for line in (out / "changes.jsonl").read_text("utf-8").splitlines()]
    reviewed = [c for c in changes if c["reason"] == "review"]
    assert len(reviewed) == told["changed"] + told["dropped"]
    assert all(set(c["by"]) == {"ana"} for c in reviewed)
    facts = json.loads((out / "review.json").read_text("utf-8"))
    assert facts["form"] == form[0]["form"] and len(facts["files"]["ana.jsonl"]) == 64
    assert not (out / "unresolved.csv").exists()
    assert (recipe.parent / "rows.csv").read_text("utf-8").count("\n") == 163


def test_several_are_counted_and_what_they_disagree_on_stays_open(
    recipe: Path, form: list[dict[str, str]]
) -> None:
    files = [fill(recipe, form, f"{name}.jsonl") for name in ("ana", "luis")]
    lazy = fill(recipe, form, "eva.jsonl", lambda _: {"decision": "keep", "right": ""})
    code, found = check(
        recipe, "--fix", *(w for f in (*files, lazy) for w in ("--reviewed", f)),
        "--out", str(recipe.parent / "three"),
    )  # fmt: skip
    assert code == 0 and found["reviewed"]["unresolved"] == 0
    assert found["reviewed"]["changed"] >= 4, "two of three want it"
    measures = {(a["measure"], tuple(a["judges"])): a for a in found["reviewed"]["agreement"]}
    assert measures["cohen_kappa", ("ana", "luis")]["value"] == 1
    assert measures["cohen_kappa", ("ana", "eva")]["value"] < 1
    assert ("krippendorff_alpha", ("ana", "luis", "eva")) in measures
    out = recipe.parent / "two"
    words = ["--reviewed", files[0], "--reviewed", lazy, "--out", str(out)]
    code, found = check(recipe, "--fix", *words)
    assert found["reviewed"]["changed"] == 0 and found["reviewed"]["unresolved"] >= 4
    with (out / "unresolved.csv").open(encoding="utf-8-sig", newline="") as file:
        assert len(list(csv.DictReader(file))) == found["reviewed"]["unresolved"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda r: {"decision": ""}, "have no decision"),
        (lambda r: {"decision": "maybe"}, "the decision is 'maybe'"),
        (lambda r: {"decision": "change", "right": ""}, "there is no right answer"),
        (lambda r: {"decision": "keep", "right": "bill"}, "there is one"),
        (lambda r: {"decision": "change", "right": "bil"}, "no label is called bil"),
        (lambda r: {**decide(r), "input": "another"}, "the column input was changed"),
        (lambda r: {**decide(r), "item": "0000"}, "not of this form"),
        (lambda r: {**decide(r), "form": "0000-50"}, "is not this form"),
        (lambda r: {**decide(r), "form": "x"}, "no filled form"),
    ],
)
def test_a_form_that_cannot_be_used_is_refused(
    change: Callable[[Any], Any], what: str, recipe: Path, form: list[dict[str, str]]
) -> None:
    path = fill(recipe, form, "bad.jsonl", change)
    out = recipe.parent / "never"
    code, found = check(recipe, "--fix", "--reviewed", path, "--out", str(out))
    assert code == 2 and what in found["error"]["what"], found
    assert found["error"]["do"] and not out.exists()


@pytest.mark.parametrize(
    "words", [["--review", "5"], ["--reviewed", "x.csv"], ["--review", "5", "--fix", "--out", "y"]]
)
def test_options_that_do_not_go_together_are_refused(recipe: Path, words: list[str]) -> None:
    code, found = check(recipe, *words)
    assert code == 2 and found["error"]["where"] in ("--review", "--reviewed")


@pytest.mark.parametrize(
    ("values", "was", "new", "column", "after"),
    [
        ({"text": "a", "label": "x"}, "x", "y", "label", "y"),
        ({"text": "x", "label": ["x", "b"]}, "b | x", "a | b", "label", ["a", "b"]),
        ({"text": "x", "label": "x|b"}, "b | x", "a | b", "label", "a|b"),
        ({"prompt": "a", "completion": "b"}, "b", "c", "completion", "c"),
        ({"text": "a", "score": 3}, "3", "4", "score", 4.0),
        ({"messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "b"}]},
         "b", "c", "messages",
         [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}]),
    ],
)  # fmt: skip
def test_a_new_answer_stands_where_and_as_the_old_one_stood(
    values: Any, was: str, new: str, column: str, after: Any
) -> None:
    found = with_answer(values, was, new, Columns(), "x: row 1")
    assert found == {**values, column: after}


@pytest.mark.parametrize("right", ["nan", "inf", "1e999", "1,5", "1_000", "four"])
def test_only_a_number_stands_for_a_number(right: str) -> None:
    was = NumberExample(id="1", where="row 1", text="x", number=1.0)
    with pytest.raises(DataError, match="is no number"):
        outcome({"decision": "change", "right": right}, was, (), "x.csv: item 1")
    assert outcome({"decision": "change", "right": "1.5"}, was, (), "x.csv: item 1") == "1.5"


def test_a_suggestion_is_shown_whatever_was_found_first(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        LabelledExample(id=str(i), where=f"row {i}", text=f"text {i}", labels=("a",))
        for i in range(3)
    ]

    def found(row: int, kind: str, **facts: str) -> SimpleNamespace:
        return SimpleNamespace(id=str(row), kind=kind, what=kind, facts=facts, part="train")

    findings = [found(0, "outlier"), found(0, "label_error", suggested="b"), found(1, "outlier")]
    check = SimpleNamespace(quality=SimpleNamespace(findings=findings))
    dataset: Any = SimpleNamespace(train=rows, validation=[], check=check, fingerprint="f" * 64)
    monkeypatch.setattr(review, "_near", lambda _: [("0", "c"), ("1", "c")])
    lines = review.to_review(dataset, 10).lines
    assert [lines[i]["suggested"] for i in "01"] == ["b", "c"]
    assert lines["1"]["why"] == "outlier; near the boundary to c"


def test_an_answer_that_stands_nowhere_is_told() -> None:
    with pytest.raises(DataError, match="cannot be written back"):
        with_answer({"text": "a", "label": "z"}, "x", "y", Columns(), "x: row 1")
