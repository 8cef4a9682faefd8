"""``afina eval RUN``: the sealed test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afina.cli.arguments import Language, RunName, TaskOption
from afina.cli.terminal import Terminal
from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.store import Run

EXAMPLES = (
    "afina eval last",
    "afina eval last --language es --json",
    "afina eval last --tests tests.jsonl",
    "afina eval last --tests tests.jsonl --candidate zero_shot",
)


def verb(
    to: Terminal,
    run: RunName,
    language: Language = "en",
    tests: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Only ask this file of expectations; no report."),
    ] = None,
    candidate: Annotated[
        str, typer.Option(help="With --tests: who is asked, tuned or a baseline.")
    ] = "tuned",
    task: TaskOption = "",
) -> int:
    """Writes report.json and report.html into the run's folder. With --tests the sealed test stays
    shut: the file is asked, and what failed is listed.

    Exit code 0 or 1 as for afina run; with --tests 1 if an expectation is not met.
    """
    from afina import flow
    from afina.cli import draw_run
    from afina.cli.progress import Progress
    from afina.store import Run

    opened = Run.open(to.home, run)
    if tests is not None:
        found = flow.try_expectations(opened, str(tests), candidate, task=task, say=to.say)
        to.answer(found, lambda console: draw_run.expectations(console, found))
        return 1 if found["failed"] else 0
    if candidate != "tuned" or task:
        where = "--task" if task else "--candidate"
        raise RequestError("goes with --tests", where=where, do="add --tests FILE")
    with Progress(to) as progress:
        flow.evaluate(opened, say=progress.say, language=language)
    report = opened.read("report.json")
    outcome = {"run": opened.id, "folder": str(opened.folder), "report": report}
    to.answer(outcome, lambda console: draw_run.measured(console, opened, report))
    return 1 if flow.gate_says_no(outcome, _stated_goals(opened)) else 0


def _stated_goals(run: Run) -> list[str]:
    """The tasks for which the user's recipe had a goal: the plan notes who chose each value."""
    from afina import flow

    chosen = {d["key"] for d in run.read("plan.json")["derived"] if d["chosen"]}
    tasks = flow.recipe_of(run).parts
    return [t for t in tasks if (f"tasks.{t}.goal" if t else "goal") in chosen]
