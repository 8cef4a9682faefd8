"""``afina explain [KEY]``: the keys of a recipe with their sentences."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.terminal import Terminal

EXAMPLES = ("afina explain train.epochs", "afina explain method", "afina explain --json")


def verb(
    to: Terminal,
    key: Annotated[
        str, typer.Argument(metavar="[KEY]", help="A key such as train or train.epochs.")
    ] = "",
) -> None:
    """Without a key: all of them. A value "derived" is worked out by the plan, with its reason."""
    from afina.cli import draw
    from afina.recipe import explain

    rows = explain(key)
    names = ("key", "value", "sentence")
    to.answer(
        {"keys": [dict(zip(names, row, strict=True)) for row in rows]},
        lambda console: draw.keys(console, rows),
    )
