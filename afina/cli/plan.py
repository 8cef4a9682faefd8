"""``afina plan RECIPE``: everything that is derived, and the cost, before anything runs."""

from __future__ import annotations

from afina.cli.arguments import Overrides, RecipePath
from afina.cli.terminal import Terminal

EXAMPLES = ("afina plan recipe.yaml", "afina plan recipe.yaml -s train.batch_size=32 --json")


def verb(to: Terminal, recipe: RecipePath, overrides: Overrides = None) -> None:
    """Nothing is written. Values in colour are derived; the others are the recipe's own."""
    from afina import flow
    from afina.cli import draw

    asked = flow.read_recipe(recipe, overrides or (), to.home, several=True)
    plan = flow.prepare(asked, to.home, say=to.say).plan.as_dict()
    to.answer(plan, lambda console: draw.plan(console, plan))
