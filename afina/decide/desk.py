"""What a decision is made with: the recipe, its rows, the base and this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.decide.rows import Rows, divide
from afina.decide.trial import Bench
from afina.decide.ways import Say
from afina.errors import RecipeError
from afina.evaluate import Scorer
from afina.evaluate.scorers import check_rows, choose
from afina.recipe import Recipe, fingerprint
from afina.store.decisions import decision_folder

if TYPE_CHECKING:
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.retrieval import Index
    from afina.train.machine import Machine


@dataclass(frozen=True)
class Desk:
    """What a decision is made with: the recipe, its rows, the base and this machine."""

    recipe: Recipe
    rows: Rows
    base: Base
    renderer: ChatRenderer
    machine: Machine
    scorer: Scorer
    home: Path
    say: Say

    @classmethod
    def of(cls, recipe: Recipe, home: Path, say: Say) -> Desk:
        """Read the data, lock the rows, resolve the base. Raises RecipeError without a goal, and
        what data and base raise."""
        from afina.data import prepare
        from afina.models.context import base_of
        from afina.models.load import check_kind, load_renderer
        from afina.train.machine import probe

        _require_goal(recipe)
        dataset = prepare(recipe.data, recipe.task, shapes=recipe.shapes)
        scorers = choose(dataset.task, (), recipe.goal)
        check_rows(scorers, dataset.train)
        rows = divide(dataset, recipe.decide.rows, recipe.train.seed)
        base = base_of(recipe, say=say)
        check_kind(base, dataset.task)
        renderer = load_renderer(base)
        rows = _ready(recipe, rows, base, renderer)
        machine = probe(recipe.train.device, home, recipe.train.threads)
        return cls(recipe, rows, base, renderer, machine, scorers[0], home, say)

    @cached_property
    def bench(self) -> Bench:
        """Where trials are run; the folder is deleted in the end."""
        return Bench(
            self.recipe,
            self.rows.task,
            self.base,
            self.renderer,
            self.rows.choice,
            self.machine,
            decision_folder(self.home, fingerprint(self.recipe)) / "trials",
        )

    @cached_property
    def index(self) -> Index | None:
        """The documents, for the hit rate and for trials that read them."""
        from afina.baselines.grounding import open_index

        asked = self.recipe.retrieval
        return None if asked is None else open_index(asked, self.base, say=self.say)

    @cached_property
    def untrained(self) -> Bench:
        """The same bench with a base of the same shape that nobody has trained."""
        from afina.models.sources import resolve
        from afina.models.untrained import make_untrained

        folder = self.bench.home / "untrained"
        make_untrained(self.base, folder, self.recipe.train.seed)
        return replace(self.bench, base=resolve(str(folder.absolute())))

    def sweep_up(self) -> None:
        """Delete what the trials left."""
        shutil.rmtree(self.bench.home, ignore_errors=True)


def _ready(recipe: Recipe, rows: Rows, base: Base, renderer: ChatRenderer) -> Rows:
    """The rows that can be measured, with the length of an answer as a run would derive it: no way
    is let write longer than another."""
    from afina.flow.lengths import measurable
    from afina.train.derive import Book, derive_task
    from afina.train.rows import encode

    limit = recipe.train.max_length or base.context_length
    rules: dict[str, Any] = {"max_length": limit, "on_too_long": recipe.train.on_too_long}
    encoded = encode(rows.train, rows.task, renderer, objective=recipe.objective, **rules)
    task = derive_task(Book(), rows.task, encoded, base)
    locked = tuple(measurable(rows.locked, task, base, recipe))
    return replace(rows, task=task, locked=locked, left_out=len(rows.locked) - len(locked))


def _require_goal(recipe: Recipe) -> None:
    goal = recipe.goal
    if goal is not None and (goal.at_least is not None or goal.margin > 0):
        return
    raise RecipeError(
        "what is to be reached is not stated, so no way can be enough",
        where="goal",
        do="state a score and its threshold: goal: {metric: exact_match, at_least: 0.9} (or a "
        "margin over every other way)",
    )
