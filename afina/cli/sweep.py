"""``afina sweep RECIPE``: the settings that train best."""

from __future__ import annotations

from afina.cli.arguments import Language, Overrides, RecipePath
from afina.cli.terminal import Terminal

EXAMPLES = (
    "afina sweep recipe.yaml",
    "afina sweep recipe.yaml -s sweep.trials=40 -s sweep.minutes=30",
    "afina sweep recipe.yaml -s 'sweep.space={method.rank: {choices: [4, 16, 64]}}'",
)


def verb(
    to: Terminal, recipe: RecipePath, overrides: Overrides = None, language: Language = "en"
) -> None:
    """Trials of the recipe with other settings, compared on its validation rows; the sealed test stays
    shut. The best trial becomes a run: afina eval RUN measures it on the test.

    The same command goes on with a sweep that was stopped or killed, and with more trials once they
    are asked for. The trials are kept in the home, with a page that draws them.
    """
    from afina import flow
    from afina.cli import draw_sweep
    from afina.cli.progress import Progress
    from afina.sweep import sweep

    asked = flow.read_recipe(recipe, overrides or (), to.home)
    with Progress(to) as progress:
        found = sweep(
            asked,
            to.home,
            watch=progress.step,
            say=progress.say,
            show=lambda space: draw_sweep.space(to, space),
            language=language,
        )
    value = found.as_dict()
    to.answer(value, lambda console: draw_sweep.found(console, value))
