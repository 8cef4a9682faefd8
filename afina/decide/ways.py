"""The ways there are, and each as a candidate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from afina.baselines import BASELINES
from afina.errors import RecipeError, nearest
from afina.flow.measuring import Candidate, build_asked
from afina.recipe import Recipe
from afina.tasks import Classify, Generate
from afina.types import Answer, Input, Task

if TYPE_CHECKING:
    from afina.decide.rows import Rows
    from afina.models.sources import Base

Kind = Literal["simple", "prompt", "documents", "tuned"]
KINDS: dict[str, Kind] = {
    "majority": "simple",
    "mean": "simple",
    "copy": "simple",
    "lead": "simple",
    "sentence": "simple",
    "gazetteer": "simple",
    "word_linear": "simple",
    "nearest": "simple",
    "popular": "simple",
    "bm25": "simple",
    "neighbours": "simple",
    "vectors": "simple",
    "linear": "simple",
    "ridge": "simple",
    "embedding_linear": "simple",
    "embedding_ridge": "simple",
    "base": "prompt",
    "zero_shot": "prompt",
    "few_shot": "prompt",
    "few_shot_random": "prompt",
    "few_shot_nearest": "prompt",
    "prompt_search": "prompt",
    "rag": "documents",
}
"""What each way is; another baseline counts as a prompt. In the order of the effort they take."""
Say = Callable[[str], None]


class Way(Candidate):
    """A candidate that keeps its answers.

    ``facts``: what the predictor says of itself, once it is closed.
    """

    def __init__(self, name: str, kind: Kind, opener: Callable[[], Any], say: Say):
        super().__init__(name, opener, say)
        self.kind = kind
        self.answers: list[Answer] = []
        self.facts: dict[str, Any] = {}

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        answers = super().predict(inputs)
        self.answers += answers
        return answers

    def close(self) -> None:
        if self._opened is not None and self.answers:
            describe = getattr(self._opened, "describe", None)
            self.facts = dict(describe()) if describe else {}
        super().close()


class Replayed:
    """A candidate that was measured already, to be compared from another side."""

    def __init__(self, name: str, answers: Sequence[Answer]) -> None:
        self.name = name
        self._answers = list(answers)

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        given, self._answers = self._answers[: len(inputs)], self._answers[len(inputs) :]
        return given


def names_of(recipe: Recipe, task: Task, base: Base) -> list[str]:
    """The ways without training that suit the task and the base, by effort.

    Raises RecipeError for a name in ``decide.ways`` that no baseline has.
    """
    for name in recipe.decide.ways or ():
        if name not in BASELINES:
            raise RecipeError(
                f"no way is called {name}", where="decide.ways", do=nearest(name, BASELINES)
            )
    if recipe.decide.ways is not None:
        return list(dict.fromkeys(recipe.decide.ways))
    wished = set(task.baselines())
    if isinstance(task, Classify | Generate):
        wished |= {"nearest"}
    if isinstance(task, Classify | Generate) and base.kind == "decoder":
        wished |= {"zero_shot", "few_shot", "few_shot_random", "few_shot_nearest", "prompt_search"}
        wished |= {"rag"} if recipe.retrieval is not None else set()
    return [name for name in (*KINDS, *sorted(wished - KINDS.keys())) if name in wished]


def untrained(recipe: Recipe, rows: Rows, base: Base, names: Sequence[str], say: Say) -> list[Way]:
    """The ways without training, each opened when its turn comes."""

    parts = (recipe, rows.task, base, rows.train, rows.choice)
    return [Way(n, KINDS.get(n, "prompt"), partial(build_asked, n, *parts), say) for n in names]
