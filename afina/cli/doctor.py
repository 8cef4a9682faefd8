"""``afina doctor``: what this machine has, and what would stop a run."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from afina.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

    from afina.store.rebuild import Rebuilt

EXAMPLES = ("afina doctor", "afina doctor --json", "afina doctor --rebuild --home ./afina-home")


def verb(
    to: Terminal,
    rebuild: Annotated[
        bool,
        typer.Option("--rebuild", help="Make the registry of the home again from its run folders."),
    ] = False,
) -> int:
    """Changes nothing. Exit code 3 if something that every run needs is missing. With --rebuild the
    registry is made again instead: nothing but the run folders is needed, what a readable registry
    knows beyond them stays, and a broken file is kept beside the new one.
    """
    if rebuild:
        from afina.store.rebuild import rebuild as make_again

        done = make_again(to.home)
        to.answer(asdict(done), lambda console: _told(console, done))
        return 0
    from afina.cli import draw_doctor, examine

    found = examine.everything(to.home)
    to.answer(found, lambda console: draw_doctor.drawn(console, found))
    return 3 if any(f["state"] == "bad" for f in found["findings"]) else 0


def _told(console: Console, done: Rebuilt) -> None:
    lines = [f"{done.runs} runs and {done.promotions} promotions are in the registry"]
    lines += [f"left out: {line}" for line in done.unreadable]
    if done.kept_aside:
        lines.append(f"the broken registry was kept as {done.kept_aside}")
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
