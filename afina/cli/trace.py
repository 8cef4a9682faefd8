"""``afina trace VALUE``: who learned from a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from afina.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.console import Console

    from afina.flow import Trace

EXAMPLES = ('afina trace "+34 600 111 222"', "afina trace --row 4f3a90d17c2be856")


def verb(
    to: Terminal,
    value: Annotated[
        str | None,
        typer.Argument(metavar="VALUE", help="An e-mail address, a number, a postal address …"),
    ] = None,
    row: Annotated[
        str | None, typer.Option("--row", metavar="ID", help="The id of a row instead.")
    ] = None,
) -> None:
    """For a request to be forgotten: the runs of this home whose training, validation or test rows
    held the record, and the names by which their models are served. Values are kept as salted hashes,
    so only kinds of personal data that the check finds can be asked for.
    """
    from afina import flow

    found = flow.trace(to.home, value=value, row=row)
    to.answer(found.as_dict(), lambda console: _draw(console, found))


def _draw(console: Console, found: Trace) -> None:
    for held in found.held:
        served = f", served as {', '.join(held.promoted)}" if held.promoted else ""
        model = "" if held.model else ", no model"
        console.print(f"{held.run}: in {', '.join(held.parts)}{model}{served}", markup=False)
    if not found.held:
        console.print("no run held it")
    if found.unknown:
        named = ", ".join(found.unknown)
        console.print(f"cannot tell: {named}", markup=False, style="yellow")
