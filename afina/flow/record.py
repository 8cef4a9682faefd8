"""What a run says of itself: its recipe, its data, its line in the registry."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import RunError
from afina.recipe import Recipe, of_task, parse_recipe
from afina.recipe.load import parse_yaml
from afina.tasks import Matched

RULE = "rule.json"
"""What the verdict will be judged by, written before training."""

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.evaluate import Statement
    from afina.store import Run


def recipe_of(run: Run) -> Recipe:
    """The resolved recipe of a run, of one task or of several (see ``Recipe.parts``)."""
    where = str(run.folder / "recipe.yaml")
    return parse_recipe(parse_yaml(run.read("recipe.yaml"), where), where=where, several=True)


def data_folder(task: str) -> str:
    """Where in a run's folder stands what is known of the data of a task (``""``: the only one)."""
    return f"data/{task}" if task else "data"


def tests_note(task: str) -> str:
    """The file with the fingerprint of the expectations that a run was planned with, for a task."""
    return f"{data_folder(task)}/tests.json" if task else "tests.json"


def reopen_datasets(run: Run) -> dict[str, Dataset]:
    """The data of each task of a run, read again. Raises RunError if they are no longer the same."""
    from afina.data import prepare as prepare_data

    found = {}
    for name, view in recipe_of(run).parts.items():
        dataset = prepare_data(view.data, view.task, shapes=view.shapes, fields=view.fields)
        noted = run.read(f"{data_folder(name)}/fingerprint.json")["fingerprint"]
        if dataset.fingerprint != noted:
            raise RunError(
                "the data have changed since this run began",
                where=f"{run.id}: {view.data.train}",
                do="restore the files, or start a new run",
            )
        found[name] = dataset
    return found


def fingerprint_of_run(run: Run, recipe: Recipe) -> Any:
    """The fingerprint of a run's data as it was noted, or that of each of several tasks."""
    found = {
        name: run.read(f"{data_folder(name)}/fingerprint.json")["fingerprint"]
        for name in recipe.parts
    }
    return found.get("", found)


def fingerprint_of(datasets: Mapping[str, Dataset]) -> Any:
    """What a run's seal says of its data: the fingerprint, or that of each task."""
    found = {name: dataset.fingerprint for name, dataset in datasets.items()}
    return found.get("", found)


def _rule_file(task: str) -> str:
    return f"{data_folder(task)}/{RULE}" if task else RULE


def state_rule(run: Run, recipe: Recipe, dataset: Dataset, task: str) -> None:
    """Write down what the verdict on a task will be judged by, before anything is trained."""
    from afina.evaluate.stated import sha256_of

    told = _told(recipe, dataset)
    run.write(_rule_file(task), told)
    run.event("rule_stated", sha256=sha256_of(told), **({"task": task} if task else {}))


def rule_changes(run: Run, recipe: Recipe, dataset: Dataset, task: str) -> tuple[Statement, ...]:
    """How the rule of an evaluation differs from what was written down. Asked before the test opens."""
    from afina.evaluate.stated import changed

    events = [e for e in run.events() if e.get("task", "") == task]
    noted = [e["sha256"] for e in events if e.get("event") == "rule_stated"]
    test = dataset.test.sha256
    openings = sum(e.get("event") == "test_opened" and e["sha256"] == test for e in run.events())
    name = _rule_file(task)
    before = run.read(name) if (run.folder / name).is_file() else None
    return changed(before, (noted or [""])[0], _told(recipe, dataset), openings)


def _told(recipe: Recipe, dataset: Dataset) -> dict[str, Any]:
    from afina.evaluate.stated import stated

    return stated(
        recipe.goal, recipe.evaluate, seed=recipe.train.seed, test_sha256=dataset.test.sha256
    )


def candidates_of(run: Run, name: str = "") -> tuple[str, ...]:
    """The texts of the run's data to choose among (``name``: of several tasks); none if the task ranks
    no texts.

    Raises RunError if the data are no longer the same.
    """
    task = of_task(recipe_of(run), name).task
    if not isinstance(task, Matched):
        return ()
    data = reopen_datasets(run)[name]
    return task.over((), (*data.train, *data.validation)).texts


def record(run: Run, recipe: Recipe, facts: dict[str, Any]) -> None:
    from afina.store import Registry

    named = {
        "name": recipe.name,
        "folder": str(run.folder),
        "base": recipe.base,
        "task": recipe.learned.name,
        "method": recipe.method.name if recipe.method else None,
    }
    Registry(run.home).record(run.id, {**named, **facts})


def command_of(run: Run) -> str:
    return shlex.join(["afina", "run", str(run.folder / "recipe.yaml")])


def folder_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())


def rows_made(run: Run, task: str = "") -> dict[str, int]:
    """How many rows ``data.augment`` made for a task of a run; empty where it was not asked for."""
    name = f"{data_folder(task)}/made.json"
    return {"made": run.read(name)["rows"]} if (run.folder / name).is_file() else {}
