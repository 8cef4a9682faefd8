"""``afina compare RUN RUN``: two runs side by side."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.terminal import Terminal

EXAMPLES = ("afina compare 20261121-0901 last",)


def verb(
    to: Terminal,
    first: Annotated[str, typer.Argument(metavar="RUN", help="A run or a promoted name.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="Another.")],
) -> None:
    """What the recipes ask differently, and which tuned model is better: row by row on the same
    test, with interval and p-value. Runs with another test are not compared, and the reason is said.
    """
    from afina.cli import draw_run
    from afina.cli.comparison import difference
    from afina.store import Run

    found = difference(Run.open(to.home, first), Run.open(to.home, second))
    to.answer(found, lambda console: draw_run.compared(console, found))
