"""``afina rollback NAME``: back to the model that had the name before."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.terminal import Terminal
from afina.errors import RunError

EXAMPLES = ("afina rollback soporte",)


def verb(
    to: Terminal,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A promoted name.")],
) -> None:
    """One step back in the history of the name; a server started afterwards answers with it."""
    from afina.store import Registry

    if not Registry.exists(to.home):  # asking must not make one
        raise RunError(
            f"no model is promoted as {name}",
            where=str(to.home),
            do="afina promote RUN --as NAME gives a first one",
        )
    run = Registry(to.home).rollback(name).run_id
    to.answer(
        {"name": name, "run": run},
        lambda console: console.print(f"{name} is now {run}", markup=False),
    )
