"""``afina run RECIPE``: the main job."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.arguments import Language, Overrides, RecipePath
from afina.cli.terminal import Terminal

EXAMPLES = (
    "afina run recipe.yaml",
    "afina run recipe.yaml -s train.epochs=5 -s method=lora",
    "afina run recipe.yaml --folds 5",
    "afina run recipe.yaml --json > outcome.json",
)


def verb(
    to: Terminal,
    recipe: RecipePath,
    overrides: Overrides = None,
    folds: Annotated[
        int | None,
        typer.Option(
            metavar="K",
            help="Cross-validate: train and measure K times on rows that are not sealed; no model.",
        ),
    ] = None,
    language: Language = "en",
) -> int:
    """Ends with the table of all candidates, a verdict, and report.html in the run's folder.

    Exit code 0: done. 1: done, and the model is shown not to be good enough, or a goal that the
    recipe states is not proven. Ctrl-C saves; afina train --resume RUN goes on. With --folds nothing
    is judged, and the same command goes on.
    """
    from afina import flow
    from afina.cli import draw_run
    from afina.cli.progress import Progress
    from afina.recipe import of_task

    asked = flow.read_recipe(recipe, overrides or (), to.home, several=True)
    if folds is not None:
        with Progress(to) as progress:
            found = flow.cross_validate(
                of_task(asked, ""), to.home, folds, watch=progress.step, say=progress.say
            )
        to.answer({"folds": found}, lambda console: draw_run.folds(console, found))
        return 0
    with Progress(to) as progress:
        run, outcome = flow.run_recipe(
            asked, to.home, watch=progress.step, say=progress.say, language=language
        )
    to.answer(outcome, lambda console: draw_run.outcome(console, run, outcome))
    goals = [task for task, part in asked.parts.items() if part.goal is not None]
    return 1 if flow.gate_says_no(outcome, goals) else 0
