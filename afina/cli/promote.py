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
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Also where the verdict is hold.")
    ] = False,
) -> None:
    """Only a run that succeeded can have a name, and one that its report holds back only with
    --anyway. The history is kept; rollback goes back in it."""
    from afina.flow import promote

    opened = promote(to.home, run, name, anyway=anyway)
    to.answer(
        {"name": name, "run": opened},
        lambda console: console.print(f"{name} is now {opened}", markup=False),
    )
