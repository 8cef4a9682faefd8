"""``afina decide RECIPE``: is fine-tuning the way, before it is paid for."""

from __future__ import annotations

from typing import Annotated

import typer

from afina.cli.arguments import Overrides, RecipePath
from afina.cli.terminal import Terminal
from afina.errors import RequestError
from afina.evaluate.figures import language_named

EXAMPLES = (
    "afina decide recipe.yaml",
    "afina decide recipe.yaml -s decide.steps=100 -s retrieval.documents=manuals",
    "afina decide recipe.yaml --curve --json",
    "afina decide recipe.yaml --bases",
)


def verb(
    to: Terminal,
    recipe: RecipePath,
    overrides: Overrides = None,
    curve: Annotated[
        bool, typer.Option("--curve", help="Only the learning curve: more data, or another way?")
    ] = False,
    bases: Annotated[
        bool, typer.Option("--bases", help="Only rank the bases at hand by measured fit.")
    ] = False,
    language: Annotated[str, typer.Option(help="Language of the words: en or es.")] = "en",
) -> int:
    """Prompts, examples, documents, simple models and short trials of fine-tuning answer the same
    locked validation rows; the sealed test stays shut. The goal must be stated in the recipe.

    Exit code 0: GO, fine-tuning is the way. 1: NO-GO, another way is enough or better, or it is
    not shown. The decision is kept in the home, and afina run notes a NO-GO.
    """
    from afina import flow
    from afina.cli import draw_decide
    from afina.cli.progress import Progress
    from afina.decide import decide, keep, learning_curve, ranked_bases

    if curve and bases:
        raise RequestError(
            "--curve and --bases each ask for one part", where="afina decide", do="take one of them"
        )
    words = language_named(language)
    asked = flow.read_recipe(recipe, overrides or (), to.home)
    with Progress(to) as progress:
        if curve:
            found = learning_curve(asked, to.home, say=progress.say).as_dict()
        elif bases:
            found = ranked_bases(asked, to.home, say=progress.say)
        else:
            made = decide(asked, to.home, say=progress.say).as_dict()
            found = made | {"file": str(keep(made, to.home))}
    to.answer(found, lambda console: draw_decide.decision(console, found, words))
    return 1 if found.get("decision") == "NO-GO" else 0
