"""Answers held against a JSON Schema: in the recipe, in the data, in the evaluation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from afina.errors import DataError, RecipeError
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.single import value_of
from afina.recipe import dump_recipe, load_recipe, parse_recipe
from afina.recipe.load import parse_yaml
from afina.tasks import Generate
from afina.types import Answer, ChatExample, Message

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"total": {"type": "number", "minimum": 0}, "day": {"type": "string"}},
    "required": ["total"],
    "additionalProperties": False,
}


def rows(*answers: str) -> list[ChatExample]:
    return [
        ChatExample(
            id=str(i),
            where=f"rows.jsonl: row {i}",
            messages=(Message("user", "bill"), Message("assistant", a)),
        )
        for i, a in enumerate(answers, 1)
    ]


def test_right_answers_that_break_the_schema_are_named() -> None:
    task = Generate(json_schema=SCHEMA)
    fine = rows('{"total": 1}', '{"total": 2.5, "day": "lunes"}')
    assert task.resolve(fine).answer == "json"
    with pytest.raises(DataError) as caught:
        task.resolve(rows('{"total": 1}', '{"total": "1"}', '{"total": 1, "x": 1}', "{}"))
    error = caught.value
    assert error.where == "rows.jsonl: row 2"
    assert "3 of 4 right answers do not satisfy" in error.what
    assert "$.total: must be number" in error.what
    assert [p.split(": ")[1] for p in error.problems] == ["row 3", "row 4"]
    with pytest.raises(DataError, match="not a JSON object"):
        task.resolve(rows("total: 1"))
    with pytest.raises(RecipeError, match="answers that are text"):
        Generate(json_schema=SCHEMA, answer="text").resolve(fine)


def test_a_schema_without_an_end_is_an_error_of_the_recipe() -> None:
    endless = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}
    with pytest.raises(RecipeError, match="without an end"):
        Generate(json_schema=endless).resolve(rows("{}"))


def test_the_score() -> None:
    task = Generate(json_schema=SCHEMA).resolve(rows('{"total": 1}'))
    given = ['{"total": 3}', '{"total": -3}', "no JSON", '```json\n{"total": 3}\n```']
    answers = [Answer(text) for text in given]
    test = rows(*['{"total": 1}'] * 4)
    assert value_of(SCORERS["schema_validity"], task, test, answers) == 0.25
    assert "schema_validity" in [s.name for s in choose(task, None, None)]
    with pytest.raises(RecipeError, match=r"task\.json_schema"):
        choose(Generate(answer="json"), ["schema_validity"], None)


def recipe(schema: Any) -> dict[str, Any]:
    task = {"name": "generate", "json_schema": schema}
    return {"task": task, "base": "acme/tiny", "data": {"train": "rows.jsonl"}}


def test_a_schema_from_a_file_stands_in_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "bill.json").write_text(json.dumps(SCHEMA))
    path = tmp_path / "r.yaml"
    path.write_text(json.dumps(recipe("bill.json")))
    loaded = load_recipe(path)
    assert isinstance(loaded.task, Generate)
    assert loaded.task.json_schema == SCHEMA
    again = parse_recipe(parse_yaml(dump_recipe(loaded), "x"), folder=tmp_path)
    assert again.task == loaded.task
    (tmp_path / "bill.json").unlink()
    with pytest.raises(RecipeError, match="no such file"):
        load_recipe(path)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{oops", "no JSON Schema"),
        ('{"type": "thing"}', "#/type: must be one of"),
        ('{"if": true}', "this keyword is not supported"),
        ("[1]", "no JSON Schema"),
    ],
)
def test_a_schema_that_is_none_is_refused(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "bill.json").write_text(text)
    path = tmp_path / "r.yaml"
    path.write_text(json.dumps(recipe("bill.json")))
    with pytest.raises(RecipeError, match=what) as caught:
        load_recipe(path)
    assert "bill.json" in caught.value.where
    with pytest.raises(RecipeError):
        parse_recipe(recipe({"type": "thing"}))
