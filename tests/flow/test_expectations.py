"""A file of expectations as the gate of a whole run, and asked of any candidate afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina.models.sources import Base
from afina.recipe import load_recipe
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import write
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
ROWS = [
    {"text": f"{word} {n}", "label": label}
    for n in range(40)
    for word, label in (("money refund", "bill"), ("lost parcel", "post"))
]
POSSIBLE = {"input": "money refund 3", "matches": "^(bill|post)$", "most_words": 1}
IMPOSSIBLE = {"input": "lost parcel 3", "contains": "parcel"}


@pytest.fixture(scope="module")
def recipe(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("gate")
    write(folder, ROWS)
    write(folder, [POSSIBLE], "tests.jsonl")
    asked = {
        "task": "classify",
        "base": str(tiny("minilm").folder),
        "data": {"train": "rows.jsonl"},
        "train": {"max_steps": 3, "batch_size": 8, "threads": 1},
        "evaluate": {"baselines": ["majority"], "tests": "tests.jsonl"},
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(asked), "utf-8")
    return path


def afina(recipe: Path, *words: str) -> tuple[int, dict[str, Any]]:
    return json_of([words[0], *words[1:], "--home", str(recipe.parent / "home")])


def test_the_gate_of_a_run_and_of_eval(recipe: Path) -> None:
    code, outcome = afina(recipe, "run", str(recipe))
    assert outcome["report"]["expectations"]["failed"] == []
    codes = [note["code"] for note in outcome["report"]["statements"]["notes"]]
    assert "rule_tests" in codes and "tests_changed" not in codes
    assert outcome["report"]["expectations"]["candidates"]["majority"] == {"failed": 0}
    write(recipe.parent, [POSSIBLE, IMPOSSIBLE], "tests.jsonl")
    code, outcome = afina(recipe, "eval", "last")
    report = outcome["report"]
    assert (code, report["verdict"]) == (1, "hold")
    assert [line["where"] for line in report["expectations"]["failed"]] == ["tests.jsonl: line 2"]
    assert report["statements"]["reasons"][0]["code"] == "tests_failed"
    assert "tests_changed" in [note["code"] for note in report["statements"]["notes"]]


def test_any_candidate_is_asked_and_the_test_stays_shut(recipe: Path) -> None:
    opened = "test_opened"
    home = recipe.parent / "home"
    (run,) = (home / "runs").iterdir()
    before = (run / "events.jsonl").read_text("utf-8").count(opened)
    good = write(recipe.parent, [POSSIBLE], "good.jsonl")
    bad = write(recipe.parent, [POSSIBLE, IMPOSSIBLE], "bad.jsonl")
    for candidate in ("tuned", "majority"):
        words = ["--candidate", candidate]
        code, found = afina(recipe, "eval", "last", "--tests", str(good), *words)
        assert (code, found["failed"], found["candidate"]) == (0, [], candidate)
        code, found = afina(recipe, "eval", "last", "--tests", str(bad), *words)
        assert (code, len(found["failed"]), found["rows"]) == (1, 1, 2)
    assert (run / "events.jsonl").read_text("utf-8").count(opened) == before


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("eval", "last", "--candidate", "majority"), "--candidate"),
        (("eval", "last", "--tests", "rows.jsonl", "--candidate", "majorty"), "evaluate.baselines"),
        (("eval", "last", "--tests", "none.jsonl"), "none.jsonl"),
    ],
)
def test_wrong_requests_are_refused(
    recipe: Path, words: tuple[str, ...], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(recipe.parent)
    write(recipe.parent, [POSSIBLE], "rows2.jsonl")
    words = tuple("rows2.jsonl" if word == "rows.jsonl" else word for word in words)
    code, found = afina(recipe, *words)
    assert (code, where in found["error"]["where"]) == (2, True), found


def test_a_bad_file_is_refused_before_anything_is_trained(recipe: Path) -> None:
    write(recipe.parent, [{"input": "x", "label": "bil"}], "wrong.jsonl")
    before = list((recipe.parent / "home" / "runs").iterdir())
    code, found = afina(recipe, "run", str(recipe), "-s", "evaluate.tests=wrong.jsonl")
    assert (code, found["error"]["where"]) == (2, "wrong.jsonl: line 1, label")
    assert "did you mean bill?" in found["error"]["what"]
    assert list((recipe.parent / "home" / "runs").iterdir()) == before


def test_the_files_of_a_recipe_are_found_beside_it(recipe: Path) -> None:
    words = ["data.benchmark=[rows.jsonl, wrong.jsonl]", "data.augment={model: ./writer}"]
    asked = load_recipe(recipe, [*words, "retrieval={documents: docs, embedder: some/name}"])
    beside = recipe.parent.resolve()
    assert asked.evaluate.tests == str(beside / "tests.jsonl")
    assert asked.data.augment is not None and asked.data.augment.model == str(beside / "writer")
    assert asked.retrieval is not None and asked.retrieval.embedder == "some/name"
    assert asked.data.benchmark == (str(beside / "rows.jsonl"), str(beside / "wrong.jsonl"))
