"""``afina promote RUN --as NAME``: a name that stays while the model behind it changes."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.arguments import RunName
from afina.cli.terminal import Terminal

EXAMPLES = ("afina promote last --as soporte", "afina serve soporte")


def verb(
    to: Terminal,
    run: RunName,
    name: Annotated[str, typer.Option("--as", metavar="NAME", help="The name to give.")],
) -> None:
    """Only a run that succeeded can have a name. The history is kept; rollback goes back in it."""
    from afina.store import Registry, Run

    opened = Run.open(to.home, run)
    Registry(to.home).promote(name, opened.id)
    to.answer(
        {"name": name, "run": opened.id},
        lambda console: console.print(f"{name} is now {opened.id}", markup=False),
    )
