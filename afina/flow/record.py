"""What a run says of itself: its recipe, its data, its line in the registry."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import RunError
from afina.recipe import Recipe, parse_recipe
from afina.recipe.load import parse_yaml

TESTS = "tests.json"
"""Fingerprint of the file of expectations that a run was planned with."""

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.store import Run


def recipe_of(run: Run) -> Recipe:
    """The resolved recipe of a run."""
    where = str(run.folder / "recipe.yaml")
    return parse_recipe(parse_yaml(run.read("recipe.yaml"), where), where=where)


def reopen_dataset(run: Run) -> Dataset:
    """The data of a run, read again. Raises RunError if it is no longer the same."""
    from afina.data import prepare as prepare_data

    recipe = recipe_of(run)
    dataset = prepare_data(recipe.data, recipe.task, shapes=recipe.shapes)
    noted = run.read("data/fingerprint.json")["fingerprint"]
    if dataset.fingerprint != noted:
        raise RunError(
            "the data have changed since this run began",
            where=f"{run.id}: {recipe.data.train}",
            do="restore the files, or start a new run",
        )
    return dataset


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
