"""``afina check RECIPE``: the data, before anything is trained."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.arguments import Overrides, RecipePath
from afina.cli.terminal import Terminal

EXAMPLES = (
    "afina check recipe.yaml",
    "afina check recipe.yaml --show-loss --rows 5",
    "afina check recipe.yaml --json | jq .dropped",
)


def verb(
    to: Terminal,
    recipe: RecipePath,
    overrides: Overrides = None,
    show_loss: Annotated[
        bool,
        typer.Option("--show-loss", help="Show training rows with the tokens in the loss marked."),
    ] = False,
    rows: Annotated[int, typer.Option(min=1, help="With --show-loss: how many rows.")] = 3,
) -> None:
    """Nothing is written. With --show-loss, rows whose answer is cut off or whose loss is empty
    are refused. Marked tokens are in colour on a terminal and between ⟦ and ⟧ elsewhere.
    """
    from afina import flow
    from afina.cli import draw, draw_data
    from afina.recipe import load_recipe

    asked = load_recipe(recipe, overrides or (), home=to.home)
    if show_loss:
        shown = flow.show_loss(asked, rows, say=to.say)
        value = {"rows": [draw_data.loss_row(row) for row in shown]}
        to.answer(value, lambda console: draw.loss_rows(console, shown))
        return
    dataset = flow.check(asked, say=to.say)
    facts = draw_data.checked(dataset, flow.special_tokens(asked, dataset))
    to.answer(facts, lambda console: draw_data.check(console, facts))
