"""A short training run by one method: what fine-tuning gives after a few steps, and what it takes.

A trial is an ordinary run of the plan and the loop, in a folder of its own that is deleted after
it was measured. Its best weights are chosen on rows that decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError, RecipeError, nearest
from afina.methods import METHODS
from afina.recipe import Recipe, dump_recipe
from afina.types import Example, Method, Task

if TYPE_CHECKING:
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.train.machine import Machine
    from afina.train.plan import Plan
    from afina.train.rows import Rows as Encoded

EVALUATIONS = 4
"""How often the loss on the choice rows is looked at."""
MOST_CHOICE = 32
_KINDS = {str(kind.model_fields["name"].default): kind for kind in METHODS}


@dataclass(frozen=True)
class Trial:
    """A finished trial. ``losses``: on the choice rows, in order; ``training``: at the same steps."""

    name: str
    method: str
    rows: int
    share: float
    folder: Path
    base: Base
    figures: dict[str, Any]
    losses: tuple[float, ...]
    estimated_seconds: float

    @property
    def still_falling(self) -> bool:
        """Whether more steps would have lowered the loss: by over 1 % at the last look."""
        if len(self.losses) < 2:
            return False
        before, last = self.losses[-2:]
        return last == min(self.losses) and last < 0.99 * before

    @property
    def overfits(self) -> bool:
        """Whether the loss on rows that were not learned has been rising since the best look."""
        return len(self.losses) > 2 and self.losses[-1] > 1.02 * min(self.losses)

    def as_dict(self) -> dict[str, Any]:
        kept = ("steps", "epochs", "seconds", "tokens", "peak_memory_bytes", "trainable_parameters")
        return {
            "name": self.name,
            "method": self.method,
            "rows": self.rows,
            "share": self.share,
            "losses": list(self.losses),
            "still_falling": self.still_falling,
            "overfits": self.overfits,
            **{key: self.figures[key] for key in kept},
        }


@dataclass(frozen=True)
class Bench:
    """What all trials share."""

    recipe: Recipe
    task: Task
    base: Base
    renderer: ChatRenderer
    choice: tuple[Example, ...]
    machine: Machine
    home: Path

    def encoded(self, examples: Sequence[Example]) -> Encoded:
        """Rows as numbers, by the recipe's rules for long ones."""
        from afina.train.rows import encode

        limit = self.recipe.train.max_length or self.base.context_length
        rules: dict[str, Any] = {"max_length": limit, "on_too_long": self.recipe.train.on_too_long}
        objective = self.recipe.objective
        return encode(examples, self.task, self.renderer, objective=objective, **rules)

    @cached_property
    def choosing(self) -> Encoded:
        """The rows by which a trial keeps its best weights."""
        return self.encoded(self.choice[:MOST_CHOICE])

    def plan(self, method: Method | None, rows: Encoded, **train: Any) -> Plan:
        """The plan of a whole run by a method, or of a trial. Raises what the plan raises."""
        from afina.train.plan import make_plan

        recipe = self.recipe.model_copy(
            update={
                "task": self.task,
                "method": method,
                "train": self.recipe.train.model_copy(update=train),
            }
        )
        return make_plan(recipe, self.base, {"": rows}, {"": self.choosing}, 0, self.machine)

    def trial(
        self, name: str, method: Method | None, examples: Sequence[Example], share: float
    ) -> Trial:
        """Train ``decide.steps`` steps on these rows. Raises what the plan and the loop raise."""
        from afina.flow.threshold import settle_threshold
        from afina.store import Run
        from afina.train.loop import run as train_run

        steps = self.recipe.decide.steps
        short: dict[str, Any] = {
            "max_steps": steps, "epochs": None, "early_stopping": None, "save_every_steps": steps,
        }  # fmt: skip
        rows = self.encoded(examples)
        size = self.plan(method, rows, **short)
        every = max(1, steps // EVALUATIONS)
        each = max(1, min(100, size.steps_per_epoch // every))
        plan = self.plan(method, rows, **short, evaluations_per_epoch=each)
        run = Run.create(self.home, None)
        run.write("recipe.yaml", dump_recipe(plan.recipe))
        run.write("plan.json", plan.as_dict())
        with run.lock():
            run.set_status("running")
            parts = {"": rows}, {"": self.choosing}
            figures = train_run(plan, self.base, *parts, run, renderer=self.renderer)
            settle_threshold(run, plan.recipe.task, self.base, self.choice[:MOST_CHOICE])
            run.set_status("succeeded")
        losses = tuple(m["validation_loss"] for m in run.metrics() if "validation_loss" in m)
        assert plan.recipe.method is not None
        return Trial(
            name=name,
            method=plan.recipe.method.name,
            rows=len(examples),
            share=share,
            folder=run.model_folder,
            base=self.base,
            figures=figures,
            losses=losses,
            estimated_seconds=plan.estimate.seconds,
        )


def options(bench: Bench, examples: Sequence[Example]) -> list[dict[str, Any]]:
    """What a whole run by each method would take on this machine, or why it cannot be made."""
    found: list[dict[str, Any]] = []
    rows = bench.encoded(examples)
    for name in _KINDS:
        try:
            plan = bench.plan(method_named(bench.recipe, name), rows)
        except AfinaError as error:
            found.append({"method": name, "fits": False, "reason": error.what})
            continue
        found.append(
            {
                "method": name,
                "fits": True,
                "seconds": plan.estimate.seconds,
                "memory_bytes": plan.estimate.memory_bytes,
                "disk_bytes": plan.estimate.disk_bytes,
                "trained": plan.parts.trained,
                "total": plan.parts.total,
            }
        )
    return found


def method_named(recipe: Recipe, name: str) -> Method:
    """The recipe's own method of that name, else one with its defaults. Raises RecipeError."""
    if recipe.method is not None and recipe.method.name == name:
        return recipe.method
    if name not in _KINDS:
        raise RecipeError(
            f"no method is called {name}", where="decide.methods", do=nearest(name, _KINDS)
        )
    return _KINDS[name].model_validate({"name": name})
