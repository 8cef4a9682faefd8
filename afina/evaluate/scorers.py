"""The scorers there are, and which of them a run takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from afina.errors import RecipeError, nearest
from afina.evaluate.answers import ANSWER_SCORERS
from afina.evaluate.code import CODE_SCORERS, refuse_without_tests
from afina.evaluate.labels import LABEL_SCORERS
from afina.evaluate.numbers import NUMBER_SCORERS
from afina.evaluate.overlap import OVERLAP_SCORERS
from afina.evaluate.preference import PREFERENCE_SCORERS, answered
from afina.evaluate.ranking import RANKING_SCORERS
from afina.evaluate.reading import READING_SCORERS
from afina.evaluate.scorer import Context, Scorer
from afina.evaluate.spans import SPAN_SCORERS
from afina.recipe import Goal
from afina.types import Example, Task

SCORERS: Mapping[str, Scorer] = {
    scorer.name: scorer
    for scorers in (
        LABEL_SCORERS,
        NUMBER_SCORERS,
        SPAN_SCORERS,
        READING_SCORERS,
        CODE_SCORERS,
        ANSWER_SCORERS,
        OVERLAP_SCORERS,
        RANKING_SCORERS,
        PREFERENCE_SCORERS,
    )
    for scorer in scorers
}
"""Every scorer by its name. A new one is one value in its file's list."""


def choose(task: Task, names: Sequence[str] | None, goal: Goal | None) -> tuple[Scorer, ...]:
    """The scorers of an evaluation; the first is the one that is judged.

    ``names`` as in ``evaluate.scorers`` (None: the task's). The goal's metric is measured in any
    case. Raises RecipeError for an unknown name, or one that does not fit the task.
    """
    wished = list(names) if names is not None else list(task.scorers())
    twice = sorted({name for name in wished if wished.count(name) > 1})
    if twice:
        raise RecipeError(
            f"the scorer {twice[0]} is named twice", where="evaluate.scorers", do="name it once"
        )
    judged = goal.metric if goal is not None else (wished or list(task.scorers()))[0]
    context = Context.of(task)
    chosen = [_find(judged, context, "goal.metric" if goal is not None else "evaluate.scorers")]
    chosen += [_find(name, context, "evaluate.scorers") for name in wished if name != judged]
    return tuple(chosen)


def check_rows(scorers: Sequence[Scorer], examples: Sequence[Example]) -> None:
    """Raises RecipeError if a scorer compares answers and the rows have one each, DataError if one runs
    tests and no row has any."""
    if examples and any(s.name == "passes_tests" for s in scorers):
        refuse_without_tests(examples)
    if examples and any(s.source in ("preference", "gain") for s in scorers):
        answered(examples[0])


def _find(name: str, context: Context, where: str) -> Scorer:
    if name not in SCORERS:
        raise RecipeError(f"no scorer is called {name}", where=where, do=nearest(name, SCORERS))
    try:
        SCORERS[name].counting(context)
    except RecipeError as error:
        raise RecipeError(error.what, where=where, do=error.do) from None
    return SCORERS[name]
