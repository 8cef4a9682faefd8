"""Train: a recipe in a new run, or an interrupted run by its own plan."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError, Interrupted, RunError
from afina.flow.augmenting import made_rows
from afina.flow.erasure import write_index
from afina.flow.preparing import Prepared, Say, encoded, prepare, silent
from afina.flow.record import (
    TESTS,
    command_of,
    folder_bytes,
    record,
    reopen_dataset,
    rows_made,
    state_rule,
)
from afina.flow.threshold import settle_threshold
from afina.recipe import Recipe, dump_recipe

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.store import Run
    from afina.train.loop import Watcher
    from afina.train.rows import Rows


def train(
    recipe: Recipe, home: Path, *, watch: Watcher | None = None, say: Say = silent
) -> tuple[Run, dict[str, Any]]:
    """Train a recipe in a new run. Returns the run and the contract's object without ``report``."""
    from afina.store import Run

    ready = prepare(recipe, home, say=say, thorough=True)
    run = Run.create(home, recipe.name)
    begin(run, ready)
    return run, carry_out(run, ready, watch)


def begin(run: Run, ready: Prepared) -> None:
    """Write what a run is made from into its new folder, and its line in the registry."""
    from afina.store.durable import sha256_file

    run.write("recipe.yaml", dump_recipe(ready.plan.recipe))
    run.write("plan.json", ready.plan.as_dict())
    ready.dataset.write(run.folder / "data")
    if ready.documents:
        run.write("data/documents.json", {"sha256": ready.documents})
    if ready.made is not None:
        run.write("data/made.json", ready.made.as_dict())
    if (tests := ready.plan.recipe.evaluate.tests) is not None:
        run.write(TESTS, {"sha256": sha256_file(tests)})
    write_index(run, ready.dataset)
    long = [*ready.rows.dropped, *ready.validation.dropped]
    if long:  # train.on_too_long: drop
        run.write("data/too_long.json", [{"where": w, "reason": why} for w, why in long])
    state_rule(run, ready.plan.recipe, ready.dataset)
    record(run, ready.plan.recipe, {"status": "created"})


def resume(
    home: Path, ref: str, *, watch: Watcher | None = None, say: Say = silent
) -> tuple[Run, dict[str, Any]]:
    """Go on with an interrupted run, by its own plan and on the same data.

    Raises RunError if it has succeeded already, or if data or base are no longer the same.
    """
    from afina.store import Run

    run = Run.open(home, ref)
    if run.status == "succeeded":
        raise RunError("this run is finished", where=run.id, do="start a new one: afina run RECIPE")
    ready = _reopen(run, say)
    return run, carry_out(run, ready, watch)


def _reopen(run: Run, say: Say) -> Prepared:
    from afina.models.context import base_of
    from afina.models.load import load_renderer
    from afina.train.plan import Plan

    plan = Plan.from_dict(run.read("plan.json"))
    dataset = reopen_dataset(run)
    base = base_of(plan.recipe, say=say)
    if base.sha256 != plan.base["sha256"]:
        raise RunError(
            f"the base {base.name} has changed since this run began",
            where=run.id,
            do="fetch the same base again, or start a new run",
        )
    renderer = load_renderer(base)
    made = made_rows(plan.recipe, dataset, say)
    if made is not None and made.sha256 != run.read("data/made.json")["sha256"]:
        raise RunError(
            "the rows that data.augment makes are no longer the same",
            where=run.id,
            do="restore the thesaurus or the engine of that day, or start a new run",
        )
    rows, validation, documents = encoded(plan.recipe, dataset, base, renderer, made, say=say)
    if documents and documents != run.read("data/documents.json")["sha256"]:
        raise RunError(
            "the documents have changed since this run began",
            where=f"{run.id}: retrieval.documents",
            do="restore them, or start a new run",
        )
    return Prepared(plan, dataset, base, renderer, rows, validation, documents, made)


def carry_out(run: Run, ready: Prepared, watch: Watcher | None) -> dict[str, Any]:
    """Train in a run that was begun, from its newest checkpoint. Returns as ``train`` does."""
    from afina.train.loop import run as train_run

    with run.lock():
        run.set_status("running")
        try:
            rows, validation = taught_rows(ready, run.home)
            figures = train_run(
                ready.plan,
                ready.base,
                rows,
                validation,
                run,
                renderer=ready.renderer,
                watch=watch,
            )
        except Interrupted:
            run.set_status("interrupted")
            raise
        except AfinaError as error:
            run.set_status("failed", error=error.as_json()["error"])
            record(run, ready.plan.recipe, {"status": "failed"})
            raise
        task = ready.plan.recipe.task
        if found := settle_threshold(run, task, ready.base, ready.dataset.validation):
            figures["threshold"] = found
        figures["disk_bytes"] = folder_bytes(run.folder)
        run.write("train.json", figures)
        run.set_status("succeeded")
    record(run, ready.plan.recipe, {"status": "succeeded"})
    outcome = outcome_of(run, ready.dataset)
    run.seal({"command": command_of(run), "data": ready.dataset.fingerprint})
    return outcome


def taught_rows(ready: Prepared, home: Path) -> tuple[Rows, Rows]:
    """Training and validation rows with what a teacher says of them, where the objective has one."""
    from afina.train.teacher import taught

    parts = ((ready.rows, ready.learned), (ready.validation, ready.dataset.validation))
    rows, validation = taught(ready.plan.recipe, parts, ready.renderer, home)
    return rows, validation


def outcome_of(run: Run, dataset: Dataset) -> dict[str, Any]:
    """The contract's JSON object of a run, without ``report``."""
    counts = dataset.check.as_dict()
    return {
        "run": run.id,
        "folder": str(run.folder),
        "status": run.status,
        "data": {
            "rows": counts["rows"],
            "kept": counts["kept"],
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test),
            "dropped": counts["dropped"],
            **({"replay": counts["replay"]} if counts["replay"] else {}),
            **rows_made(run),
        },
        "train": run.read("train.json"),
    }
