"""``afina eval RUN``: the sealed test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from afina.cli.arguments import Language, RunName
from afina.cli.terminal import Terminal

if TYPE_CHECKING:
    from afina.store import Run

EXAMPLES = ("afina eval last", "afina eval last --language es --json")


def verb(to: Terminal, run: RunName, language: Language = "en") -> int:
    """Writes report.json and report.html into the run's folder.

    Exit code 0 or 1 as for afina run.
    """
    from afina import flow
    from afina.cli import draw_run
    from afina.cli.progress import Progress
    from afina.store import Run

    opened = Run.open(to.home, run)
    with Progress(to) as progress:
        report = flow.evaluate(opened, say=progress.say, language=language).as_dict()
    outcome = {"run": opened.id, "folder": str(opened.folder), "report": report}
    to.answer(outcome, lambda console: draw_run.measured(console, opened, report))
    return 1 if flow.gate_says_no(outcome, goal_was_stated=_goal_was_stated(opened)) else 0


def _goal_was_stated(run: Run) -> bool:
    """Whether the user's recipe had a goal: the plan notes who chose each value."""
    return any(d["key"] == "goal" and d["chosen"] for d in run.read("plan.json")["derived"])
