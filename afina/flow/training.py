"""Train: a recipe in a new run, or an interrupted run by its own plan."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError, Interrupted, RunError
from afina.flow.erasure import write_index
from afina.flow.lineage import earlier, lineage_of
from afina.flow.lineage import write as write_lineage
from afina.flow.preparing import Prepared, Say, encode_parts, prepare, silent
from afina.flow.record import (
    command_of,
    data_folder,
    fingerprint_of,
    folder_bytes,
    record,
    reopen_datasets,
    rows_made,
    state_rule,
    tests_note,
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

    lineage_of(recipe, home)  # a broken one is told before the rows are read
    ready = prepare(recipe, home, say=say, thorough=True)
    run = Run.create(home, recipe.name)
    begin(run, ready)
    return run, carry_out(run, ready, watch)


def begin(run: Run, ready: Prepared) -> None:
    """Write what a run is made from into its new folder, and its line in the registry."""
    from afina.store.durable import sha256_file

    run.write("recipe.yaml", dump_recipe(ready.plan.recipe))
    run.write("plan.json", ready.plan.as_dict())
    views = ready.plan.recipe.parts
    for name, part in ready.parts.items():
        folder = data_folder(name)
        part.dataset.write(run.folder / folder)
        if part.documents:
            run.write(f"{folder}/documents.json", {"sha256": part.documents})
        if part.made is not None:
            run.write(f"{folder}/made.json", part.made.as_dict())
        if (tests := views[name].evaluate.tests) is not None:
            run.write(tests_note(name), {"sha256": sha256_file(tests)})
        write_index(run, part.dataset, folder)
        long = [*part.rows.dropped, *part.validation.dropped]
        if long:  # train.on_too_long: drop
            dropped = [{"where": w, "reason": why} for w, why in long]
            run.write(f"{folder}/too_long.json", dropped)
        state_rule(run, views[name], part.dataset, name)
    stages = lineage_of(ready.plan.recipe, run.home)
    write_lineage(run, stages)
    parent = {"parent": stages[-1].run} if stages else {}
    record(run, ready.plan.recipe, {"status": "created", **parent})


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
    earlier(run)
    datasets = reopen_datasets(run)
    base = base_of(plan.recipe, say=say)
    if base.sha256 != plan.base["sha256"]:
        raise RunError(
            f"the base {base.name} has changed since this run began",
            where=run.id,
            do="fetch the same base again, or start a new run",
        )
    renderer = load_renderer(base)
    parts = encode_parts(plan.recipe, datasets, base, renderer, say)
    for name, part in parts.items():
        folder = data_folder(name)
        if part.made and part.made.sha256 != run.read(f"{folder}/made.json")["sha256"]:
            raise RunError(
                "the rows that data.augment makes are no longer the same",
                where=run.id,
                do="restore the thesaurus or the engine of that day, or start a new run",
            )
        noted = f"{folder}/documents.json"
        if part.documents and part.documents != run.read(noted)["sha256"]:
            raise RunError(
                "the documents have changed since this run began",
                where=f"{run.id}: retrieval.documents",
                do="restore them, or start a new run",
            )
    return Prepared(plan, parts, base, renderer)


def carry_out(run: Run, ready: Prepared, watch: Watcher | None) -> dict[str, Any]:
    """Train in a run that was begun, from its newest checkpoint. Returns as ``train`` does."""
    from afina.train.loop import run as train_run

    with run.lock():
        run.set_status("running")
        try:
            rows, held = taught_rows(ready, run.home)
            figures = train_run(
                ready.plan,
                ready.base,
                rows,
                held,
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
        settled = {}
        for name, part in ready.parts.items():
            chosen_on = part.dataset.validation
            if found := settle_threshold(run, part.dataset.task, ready.base, chosen_on, name):
                settled[name] = found
        if settled:
            figures["threshold"] = settled.get("", settled)
        figures["disk_bytes"] = folder_bytes(run.folder)
        run.write("train.json", figures)
        run.set_status("succeeded")
    record(run, ready.plan.recipe, {"status": "succeeded"})
    datasets = {name: part.dataset for name, part in ready.parts.items()}
    outcome = outcome_of(run, datasets)
    run.seal({"command": command_of(run), "data": fingerprint_of(datasets)})
    return outcome


def taught_rows(ready: Prepared, home: Path) -> tuple[dict[str, Rows], dict[str, Rows]]:
    """Training and validation rows of each task with what a teacher says of them, where the objective
    has one."""
    from afina.train.teacher import taught

    rows, held = {}, {}
    for name, part in ready.parts.items():
        pairs = ((part.rows, part.learned), (part.validation, part.dataset.validation))
        view = ready.plan.recipe.parts[name]
        rows[name], held[name] = taught(view, pairs, ready.renderer, home)
    return rows, held


def outcome_of(run: Run, datasets: Mapping[str, Dataset]) -> dict[str, Any]:
    """The contract's JSON object of a run, without ``report``; of several tasks ``data.tasks``."""
    counts = {n: {**_counts(dataset), **rows_made(run, n)} for n, dataset in datasets.items()}
    return {
        "run": run.id,
        "folder": str(run.folder),
        "status": run.status,
        "data": counts.get("", {"tasks": counts}),
        "train": run.read("train.json"),
    }


def _counts(dataset: Dataset) -> dict[str, Any]:
    counts = dataset.check.as_dict()
    return {
        "rows": counts["rows"],
        "kept": counts["kept"],
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
        "dropped": counts["dropped"],
        **({"replay": counts["replay"]} if counts["replay"] else {}),
    }
