"""``afina train RECIPE`` and ``afina train --resume RUN``: training alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afina.cli.arguments import Overrides
from afina.cli.terminal import Terminal
from afina.errors import RequestError

EXAMPLES = (
    "afina train recipe.yaml",
    "afina train --resume last",
    "afina eval last",
)


def verb(
    to: Terminal,
    recipe: Annotated[
        Path | None, typer.Argument(metavar="[RECIPE]", help="The recipe's YAML file.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with this run: id, folder or last.")
    ] = None,
    overrides: Overrides = None,
) -> None:
    """A resumed run ends in the same weights, bit for bit, as one that was never stopped."""
    from afina import flow
    from afina.cli import draw_run
    from afina.cli.progress import Progress

    if (recipe is None) == (resume is None):
        raise RequestError(
            "either a recipe or --resume RUN is needed, and not both",
            where="afina train",
            do="afina train recipe.yaml, or afina train --resume last",
        )
    if resume is not None and overrides:
        raise RequestError(
            "a resumed run keeps its own plan: -s cannot change it",
            where="afina train --resume",
            do="leave -s out, or start a new run with afina train RECIPE -s …",
        )
    with Progress(to) as progress:
        if resume is not None:
            run, outcome = flow.resume(to.home, resume, watch=progress.step, say=progress.say)
        else:
            assert recipe is not None
            asked = flow.read_recipe(recipe, overrides or (), to.home, several=True)
            run, outcome = flow.train(asked, to.home, watch=progress.step, say=progress.say)
    to.answer(outcome, lambda console: draw_run.trained(console, run, outcome))
