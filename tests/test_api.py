"""The Python door: few names, typed, lazy, and the same results as the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import afina
from afina.errors import DataError, RecipeError, RunError

if TYPE_CHECKING:
    from afina.models.sources import Base
    from tests.tiny import Kind

ROOT = Path(__file__).resolve().parents[1]


def test_the_public_names_are_few_sorted_and_there() -> None:
    assert len(afina.__all__) <= 25
    assert len(set(afina.__all__)) == len(afina.__all__)
    assert dir(afina) == sorted([*afina.__all__, "__version__"])
    for name in afina.__all__:
        value = getattr(afina, name)
        assert value.__doc__, f"{name} has no docstring"


def test_no_public_name_is_a_room() -> None:
    """``import afina.train.plan`` would put the room in the place of the function."""
    rooms = {p.stem for p in (ROOT / "afina").iterdir() if not p.name.startswith("_")}
    assert set(afina.__all__) & rooms == set()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        afina.tune  # noqa: B018


def test_type_checkers_see_the_same_names(tmp_path: Path) -> None:
    """Every lazy name is also imported for type checkers, from the same place."""
    import ast

    tree = ast.parse((ROOT / "afina" / "__init__.py").read_text(encoding="utf-8"))
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("afina.")
        for alias in node.names
    }
    assert seen == afina._PLACE_OF
    assert seen.keys() == set(afina.__all__)


def test_importing_the_door_brings_nothing_heavy() -> None:
    code = (
        "import sys, afina; afina.run; afina.Recipe; "
        "print({'torch', 'transformers', 'sklearn', 'fastapi', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


# ---------------------------------------------------------------------------- a run


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("api") / "twice.jsonl"
    lines = [{"prompt": f"say {n} twice", "completion": f"{n} {n}"} for n in range(40)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return path


def recipe_of(base: Path, rows: Path) -> dict[str, Any]:
    return {
        "task": {"name": "generate", "max_new_tokens": 6},
        "base": str(base),
        "data": {"train": str(rows)},
        "method": "lora",
        "train": {"max_steps": 2, "batch_size": 8, "threads": 1},
        "evaluate": {"baselines": ["nearest"]},
    }


@pytest.fixture(scope="module")
def done(tiny: Callable[[Kind], Base], rows: Path) -> afina.Run:
    steps: list[int] = []
    said: list[str] = []
    run = afina.run(
        recipe_of(tiny("llama").folder, rows),
        set={"name": "door", "train.max_steps": 3},
        home=rows.parent / "home",
        watch=lambda step: steps.append(step.step),
        say=said.append,
    )
    assert steps[-1] == 3
    assert "measuring tuned" in said
    return run


def test_a_run_tells_what_it_is(done: afina.Run) -> None:
    assert done.id in repr(done)
    assert (done.folder / "report.html").is_file()
    assert done.status == "succeeded"
    assert done.recipe.name == "door"
    assert done.recipe.train.learning_rate is not None
    assert done.figures["steps"] == 3
    assert done.verdict == done.report.verdict
    assert done.report.candidate("tuned").scores


def test_predict_takes_every_form_of_a_question(done: afina.Run) -> None:
    turn = {"role": "user", "content": "say 7 twice"}
    forms: list[Any] = [
        "say 7 twice",
        {"prompt": "say 7 twice", "completion": "not shown"},
        {"messages": [turn, {"role": "assistant", "content": "not shown"}]},
        {"conversations": [{"from": "human", "value": "say 7 twice"}]},
        {"instruction": "say 7 twice", "output": "not shown"},
        [turn],
        [afina.Message("user", "say 7 twice")],
        afina.Input((afina.Message("user", "say 7 twice"),)),
    ]
    answers = done.predict(forms)
    assert len({(a.text, a.prompt_tokens) for a in answers}) == 1
    assert all(isinstance(a, afina.Answer) for a in answers)
    alpaca = done.predict([{"instruction": "say", "input": "7 twice"}, "say\n7 twice"])
    assert alpaca[0] == alpaca[1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("one text", "a list of them"),
        ([""], "input 1"),
        (["fine", {"prompt": 5}], "input 2: column prompt"),
        ([[]], "input 1"),
        ([{"role": "user"}], "no column"),
        ([5], "int cannot be asked"),
        ([[{"role": "assistant", "content": "x"}]], "nobody asks"),
    ],
)
def test_predict_refuses_what_cannot_be_asked(done: afina.Run, asked: Any, told: str) -> None:
    with pytest.raises(DataError) as caught:
        done.predict(asked)
    assert told in str(caught.value)
    assert caught.value.do


def test_a_run_opens_again_and_measures_again(done: afina.Run) -> None:
    home = done.folder.parent.parent
    again = afina.open_run("last", home=home)
    assert again.id == done.id
    report = again.evaluate()
    assert report.candidate("tuned").scores == done.report.candidate("tuned").scores
    with pytest.raises(RunError):
        afina.open_run("nothing", home=home)
    with pytest.raises(RunError):
        afina.resume(done.id, home=home)


def test_training_alone_has_no_report(
    tiny: Callable[[Kind], Base], rows: Path, tmp_path: Path
) -> None:
    run = afina.run(recipe_of(tiny("llama").folder, rows), home=tmp_path, evaluate=False)
    assert run.status == "succeeded"
    with pytest.raises(RunError, match="has not been measured"):
        _ = run.report


def test_check_and_plan_write_nothing(
    tiny: Callable[[Kind], Base], rows: Path, tmp_path: Path
) -> None:
    recipe = recipe_of(tiny("llama").folder, rows)
    home = tmp_path / "home"
    dataset = afina.check(recipe, home=home)
    assert (len(dataset.train), len(dataset.test)) == (32, 4)
    plan = afina.plan(recipe, set=["train.max_steps=5"], home=home)
    assert plan.steps == 5
    assert not home.exists()


def test_a_recipe_may_be_a_file_a_mapping_or_a_recipe(
    tiny: Callable[[Kind], Base], rows: Path, tmp_path: Path
) -> None:
    import yaml

    from afina.door import as_recipe

    tree = recipe_of(tiny("llama").folder, rows)
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    forms = [tmp_path / "r.yaml", str(tmp_path / "r.yaml"), tree, as_recipe(tree, (), tmp_path)]
    changes = {"train.epochs": 2, "goal": {"metric": "chrf", "at_least": 5.0}, "name": "x-1"}
    found = [as_recipe(form, changes, tmp_path) for form in forms]
    assert all(recipe == found[0] for recipe in found)
    assert found[0].train.epochs == 2
    assert found[0].goal is not None
    assert found[0].goal.at_least == 5.0
    with pytest.raises(RecipeError, match="unknown key epoch"):
        as_recipe(tree, {"train.epoch": 2}, tmp_path)


def test_serve_takes_the_key_from_the_environment(
    done: afina.Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr("afina.serve.serve", lambda models, **given: asked.update(given))
    monkeypatch.setenv("AFINA_API_KEY", "secret")
    done.serve(port=0)
    assert (asked["api_key"], asked["port"], asked["host"]) == ("secret", 0, "127.0.0.1")
