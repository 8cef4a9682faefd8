"""General rows beside those of the task: drawn by seed, never a row that is measured on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from afina.data import prepare
from afina.data.dataset import Dataset
from afina.errors import DataError, RecipeError
from afina.recipe import parse_recipe
from afina.tasks import Generate
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import write


def rows(count: int, word: str) -> list[dict[str, Any]]:
    return [{"prompt": f"{word} {i}", "completion": f"it is {word}"} for i in range(count)]


def prepared(folder: Path, general: Sequence[dict[str, Any]], **replay: Any) -> Dataset:
    own = write(folder, rows(50, "lamp"))
    recipe = {
        "task": "generate",
        "base": "some/base",
        "data": {
            "train": str(own),
            "replay": {"source": str(write(folder, general, "general.jsonl")), **replay},
        },
    }
    return prepare(parse_recipe(recipe).data, Generate())


def test_the_share_is_that_of_all_rows_that_are_learned(tmp_path: Path) -> None:
    found = prepared(tmp_path, rows(40, "river"), share=0.2)
    assert len(found.train) == 40 and len(found.replay) == 10
    facts = found.check.as_dict()["replay"]
    assert facts == {"rows": 40, "used": 10, "share": 0.2, "dropped": {"not_drawn": 30}}
    again = prepared(tmp_path, list(reversed(rows(40, "river"))), share=0.2)
    said = [{e.messages[0].content for e in one.replay} for one in (found, again)]
    assert said[0] == said[1], "drawn by content and seed, whatever the order of the file"


def test_what_is_measured_on_is_not_replayed(tmp_path: Path) -> None:
    general = [*rows(50, "lamp"), *rows(20, "river"), rows(1, "river")[0] | {"completion": "no"}]
    found = prepared(tmp_path, general, share=0.1)
    assert all(e.messages[0].content.startswith("river") for e in found.replay)
    dropped = found.check.as_dict()["replay"]["dropped"]
    assert dropped["in_train"] + dropped["in_validation"] + dropped["in_test"] == 50
    assert dropped["duplicate"] == 1


def test_the_fingerprint_knows_them(tmp_path: Path) -> None:
    first = prepared(tmp_path, rows(40, "river"), share=0.2).fingerprint
    assert prepared(tmp_path, rows(40, "river"), share=0.2).fingerprint == first
    assert prepared(tmp_path, rows(40, "stone"), share=0.2).fingerprint != first


def test_too_few_general_rows_are_refused_with_the_share_that_they_make(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes 40") as caught:
        prepared(tmp_path, rows(5, "river"), share=0.5)
    assert "at most share: 0.111" in str(caught.value)


def test_only_models_that_write_can_replay() -> None:
    data = {"train": "rows.csv", "replay": {"source": "general.jsonl"}}
    with pytest.raises(RecipeError, match="cannot learn"):
        parse_recipe({"task": "classify", "base": "some/base", "data": data})


def test_they_are_learned_and_counted(tmp_path: Path, tiny: Any) -> None:
    general = [{"prompt": f"river {i}", "completion": "river stone " * 9} for i in range(40)]
    recipe = {
        "task": "generate",
        "base": str(tiny("llama").folder),
        "data": {
            "train": str(write(tmp_path, rows(50, "lamp"))),
            "replay": {"source": str(write(tmp_path, general, "general.jsonl")), "share": 0.2},
        },
        "train": {"epochs": 1, "batch_size": 10, "threads": 1},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    home = ["--home", str(tmp_path / "home")]
    code, found = json_of(["train", str(path), *home])
    assert code == 0, found
    assert found["data"]["train"] == 40 and found["data"]["replay"]["used"] == 10
    assert found["train"]["rows"] == 50 and found["train"]["steps"] == 5
    folder = Path(found["folder"])
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    assert plan["rows"]["train"] == 40 and plan["rows"]["replayed"] == 10
    assert plan["recipe"]["task"]["max_new_tokens"] < 36, "of the task's own answers"
    ids = json.loads((folder / "data" / "splits.json").read_text("utf-8"))
    assert len(ids["replay"]) == 10 and not set(ids["replay"]) & set(ids["test"])
