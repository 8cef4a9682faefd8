"""The main job, from a recipe to a report."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.flow.measuring import evaluate
from afina.flow.preparing import Say, silent
from afina.flow.training import train
from afina.recipe import Recipe

if TYPE_CHECKING:
    from afina.store import Run
    from afina.train.loop import Watcher


def run_recipe(
    recipe: Recipe,
    home: Path,
    *,
    watch: Watcher | None = None,
    say: Say = silent,
    language: str = "en",
) -> tuple[Run, dict[str, Any]]:
    """The main job: check, plan, train, evaluate, report. Returns the run and the contract's object."""
    started = time.perf_counter()
    note_no_go(recipe, home, say, language)
    run, outcome = train(recipe, home, watch=watch, say=say)
    evaluate(run, say=say, language=language)
    outcome["report"] = run.read("report.json")
    outcome["seconds"] = round(time.perf_counter() - started, 3)
    return run, outcome


def note_no_go(recipe: Recipe, home: Path, say: Say, language: str) -> None:
    """Say so where a decision about what this recipe wants was NO-GO; it is a note, no gate."""
    from afina.recipe import fingerprint
    from afina.store.decisions import read_decision

    found = read_decision(home, fingerprint(recipe))
    if found is None or found.get("decision") != "NO-GO":
        return
    told = {
        "en": "afina decide said NO-GO to fine-tuning for this recipe",
        "es": "afina decide dijo NO-GO al afinado para esta receta",
    }
    spoken = language if language in told else "en"
    reason = found["statements"]["reasons"][0][spoken]
    say(f"{told[spoken]} ({found['made'][:10]}): {reason}")


def gate_says_no(outcome: dict[str, Any], goals: Collection[str]) -> bool:
    """Whether a verdict forbids: shown not to be good enough, or a stated goal not proven.

    ``goals``: the tasks whose goal was stated; ``""`` for the only one.
    """
    from afina.evaluate import by_task

    verdicts = {task: one["verdict"] for task, one in by_task(outcome["report"]).items()}
    return any(v == "hold" or (task in goals and v != "ship") for task, v in verdicts.items())
