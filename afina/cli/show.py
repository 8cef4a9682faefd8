"""``afina show RUN``: one run."""

from __future__ import annotations

from afina.cli.arguments import RunName
from afina.cli.terminal import Terminal

EXAMPLES = ("afina show last", "afina show soporte --json")


def verb(to: Terminal, run: RunName) -> None:
    """Reads the run's folder and changes nothing."""
    from afina.cli import draw_run
    from afina.cli.listing import facts_of
    from afina.store import Run

    opened = Run.open(to.home, run)
    facts = facts_of(opened)
    to.answer(facts, lambda console: draw_run.shown(console, facts))
