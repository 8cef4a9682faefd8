"""Preference pairs, judged answers and whole small runs for the tests of the objectives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from afina.models.load import Model, load, load_renderer
from afina.models.sources import Base
from afina.recipe import Recipe, dump_recipe, parse_recipe
from afina.store import Run
from afina.train.batches import collate
from afina.train.observe import observed, surveyed
from afina.train.plan import Plan, make_plan
from afina.train.rows import Rows, encode
from afina.types import Batch, Encoded, Example, JudgedExample, Message, PreferenceExample
from tests.train.small import COLOURS, MACHINE


def pairs(count: int) -> list[Example]:
    """The better answer repeats the question's words backwards, the worse one forwards, and more."""
    rows: list[Example] = []
    for i in range(count):
        words = [COLOURS[(i * k + i) % 5] for k in range(1, 3 + i % 4)]
        rows.append(
            PreferenceExample(
                id=f"row-{i}",
                where=f"pairs.jsonl: row {i}",
                prompt=(Message("user", f"{' '.join(words)} {i}"),),
                chosen=(Message("assistant", " ".join(reversed(words))),),
                rejected=(Message("assistant", " ".join([*words, "one two"[: 3 + i % 5]])),),
            )
        )
    return rows


def judged(count: int) -> list[Example]:
    """Short answers are good, long ones bad."""
    return [
        JudgedExample(
            id=f"row-{i}",
            where=f"judged.jsonl: row {i}",
            messages=(
                Message("user", f"{COLOURS[i % 5]} {i}"),
                Message("assistant", COLOURS[i % 5] + " one two" * (i % 3)),
            ),
            good=i % 3 == 0,
        )
        for i in range(count)
    ]


class Tried:
    """A recipe with its rows, ready for the loop; ``task``, ``objective`` and ``method`` as in YAML."""

    def __init__(
        self,
        base: Base,
        objective: Any,
        examples: list[Example],
        *,
        task: Any = "generate",
        method: Any = "full",
        held: int = 4,
        recipe: dict[str, Any] | None = None,
        **train: Any,
    ) -> None:
        self.base = base
        self.renderer = load_renderer(base)
        knobs = {"threads": 1, "precision": "float32", "epochs": 2, "batch_size": 4, **train}
        self.recipe: Recipe = parse_recipe(
            {
                "task": task,
                "base": str(base.folder),
                "data": {"train": "rows.jsonl"},
                "method": method,
                "objective": objective,
                "train": knobs,
                **(recipe or {}),
            }
        )
        self.examples = examples
        resolved = self.recipe.task.resolve(examples).settle(examples[held:])
        self.rows = self._encode(examples[held:], resolved)
        self.validation = self._encode(examples[:held], resolved)
        whole = self.recipe.model_copy(update={"task": resolved})
        rows_of, held_of = {"": self.rows}, {"": self.validation}
        self.plan: Plan = make_plan(whole, base, rows_of, held_of, 0, MACHINE)

    def _encode(self, examples: list[Example], task: Any) -> Rows:
        return encode(
            examples,
            task,
            self.renderer,
            max_length=None,
            on_too_long="error",
            objective=self.recipe.objective,
        )

    def new_run(self, home: Path) -> Run:
        run = Run.create(home, "tried")
        run.write("recipe.yaml", dump_recipe(self.plan.recipe))
        return run

    def arguments(self, run: Run) -> tuple[Plan, Base, dict[str, Rows], dict[str, Rows], Run]:
        return self.plan, self.base, {"": self.rows}, {"": self.validation}, run

    def model(self) -> Model:
        """The model before the first step."""
        return load(self.base, self.plan.recipe.task, self.plan.recipe.method, exact=True)

    def noted(self, model: Model) -> tuple[Encoded, ...]:
        return observed(model, self.plan.recipe.objective, self.rows)

    def batch(self, model: Model, rows: tuple[Encoded, ...]) -> Batch:
        """All rows in one pass, with what the objective surveys."""
        (batch,) = surveyed(model, self.plan.recipe.objective, [rows], self.rows.kind)
        return batch


def whole(rows: tuple[Encoded, ...], model: Model) -> Batch:
    return collate(rows, kind="tokens", device=model.device)


def nudge(model: Model, size: float = 0.02) -> None:
    """Move every trained weight a little, always in the same way, away from the reference."""
    draw = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.trained().values():
            parameter.add_(size * torch.randn(parameter.shape, generator=draw))
