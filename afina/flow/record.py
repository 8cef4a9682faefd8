"""What a run says of itself: its recipe, its data, its line in the registry."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import RunError
from afina.recipe import Recipe, parse_recipe
from afina.recipe.load import parse_yaml
from afina.tasks import Matched

TESTS = "tests.json"
"""Fingerprint of the file of expectations that a run was planned with."""
RULE = "rule.json"
"""What the verdict will be judged by, written before training."""

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.evaluate import Statement
    from afina.store import Run


def recipe_of(run: Run) -> Recipe:
    """The resolved recipe of a run."""
    where = str(run.folder / "recipe.yaml")
    return parse_recipe(parse_yaml(run.read("recipe.yaml"), where), where=where)


def reopen_dataset(run: Run) -> Dataset:
    """The data of a run, read again. Raises RunError if it is no longer the same."""
    from afina.data import prepare as prepare_data

    recipe = recipe_of(run)
    dataset = prepare_data(recipe.data, recipe.task, shapes=recipe.shapes, fields=recipe.fields)
    noted = run.read("data/fingerprint.json")["fingerprint"]
    if dataset.fingerprint != noted:
        raise RunError(
            "the data have changed since this run began",
            where=f"{run.id}: {recipe.data.train}",
            do="restore the files, or start a new run",
        )
    return dataset


def state_rule(run: Run, recipe: Recipe, dataset: Dataset) -> None:
    """Write down what the verdict will be judged by, before anything is trained."""
    from afina.evaluate.stated import sha256_of

    told = _told(recipe, dataset)
    run.write(RULE, told)
    run.event("rule_stated", sha256=sha256_of(told))


def rule_changes(run: Run, recipe: Recipe, dataset: Dataset) -> tuple[Statement, ...]:
    """How the rule of an evaluation differs from what was written down. Asked before the test opens."""
    from afina.evaluate.stated import changed

    events = run.events()
    noted = [e["sha256"] for e in events if e.get("event") == "rule_stated"]
    openings = sum(e.get("event") == "test_opened" for e in events)
    before = run.read(RULE) if (run.folder / RULE).is_file() else None
    return changed(before, (noted or [""])[0], _told(recipe, dataset), openings)


def _told(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    from afina.evaluate.stated import stated

    return stated(
        recipe.goal, recipe.evaluate, seed=recipe.train.seed, test_sha256=dataset.test.sha256
    )


def candidates_of(run: Run) -> tuple[str, ...]:
    """The texts of the run's data to choose among; none if its task ranks no texts.

    Raises RunError if the data are no longer the same.
    """
    task = recipe_of(run).task
    if not isinstance(task, Matched):
        return ()
    data = reopen_dataset(run)
    return task.over((), (*data.train, *data.validation)).texts


def record(run: Run, recipe: Recipe, facts: dict[str, Any]) -> None:
    from afina.store import Registry

    named = {
        "name": recipe.name,
        "folder": str(run.folder),
        "base": recipe.base,
        "task": recipe.task.name,
        "method": recipe.method.name if recipe.method else None,
    }
    Registry(run.home).record(run.id, {**named, **facts})


def command_of(run: Run) -> str:
    return shlex.join(["afina", "run", str(run.folder / "recipe.yaml")])


def folder_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def rows_made(run: Run) -> dict[str, int]:
    """How many rows ``data.augment`` made for a run; empty where it was not asked for."""
    if not (run.folder / "data/made.json").is_file():
        return {}
    return {"made": run.read("data/made.json")["rows"]}
