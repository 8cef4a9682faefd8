"""``afina doctor``: what this machine has, and what would stop a run."""

from __future__ import annotations

from afina.cli.terminal import Terminal

EXAMPLES = ("afina doctor", "afina doctor --json")


def verb(to: Terminal) -> int:
    """Changes nothing. Exit code 3 if something that every run needs is missing."""
    from afina.cli import draw_doctor, examine

    found = examine.everything(to.home)
    to.answer(found, lambda console: draw_doctor.drawn(console, found))
    return 3 if any(f["state"] == "bad" for f in found["findings"]) else 0
