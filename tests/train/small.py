"""Small whole runs for the tests of the loop: a tiny base, a few rows, a plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from afina.models.load import load_renderer
from afina.models.render import ChatRenderer
from afina.models.sources import Base
from afina.recipe import Recipe, dump_recipe, parse_recipe
from afina.store import Run
from afina.tasks import Classify
from afina.train.machine import Machine
from afina.train.plan import Plan, make_plan
from afina.train.rows import Rows, encode
from afina.types import (
    ChatExample,
    Example,
    LabelledExample,
    Message,
    NumberExample,
    PairExample,
    QuestionExample,
    Span,
    TaggedExample,
)

ROOM = 10**11
MACHINE = Machine("cpu", "test", 1, ROOM, ROOM, ROOM, 50.0, 100.0)
COLOURS = ("red", "green", "blue", "positive", "negative")


def chats(count: int) -> list[Example]:
    """Rows whose answer is a function of the question, of different lengths."""
    rows: list[Example] = []
    for i in range(count):
        question = " ".join(COLOURS[(i * k + i) % 5] for k in range(1, 2 + i % 4))
        answer = " ".join(reversed(question.split()))
        messages = (Message("user", f"{question} {i}"), Message("assistant", answer))
        rows.append(ChatExample(id=f"row-{i}", where=f"small.jsonl: row {i}", messages=messages))
    return rows


def texts(count: int) -> list[Example]:
    """Rows whose label is the first word."""
    return [
        LabelledExample(
            id=f"row-{i}",
            where=f"small.csv: row {i}",
            text=f"{COLOURS[i % 3]} door of the kitchen {'one two ' * (i % 5)}",
            labels=(COLOURS[i % 3],),
        )
        for i in range(count)
    ]


def numbers(count: int) -> list[Example]:
    """Pairs of texts whose number is how long the second one is."""
    return [
        NumberExample(
            id=f"row-{i}",
            where=f"small.csv: row {i}",
            text=f"{COLOURS[i % 3]} door",
            second="one two " * (1 + i % 5),
            number=100.0 + 10 * (i % 5),
        )
        for i in range(count)
    ]


def tagged(count: int) -> list[Example]:
    """Texts in which a colour is named."""
    return [
        TaggedExample(
            id=f"row-{i}",
            where=f"small.jsonl: row {i}",
            text=f"the door {'one ' * (i % 4)}is {COLOURS[i % 3]}",
            spans=(Span(9 + 4 * (i % 4) + 3, 9 + 4 * (i % 4) + 3 + len(COLOURS[i % 3]), "COLOUR"),),
        )
        for i in range(count)
    ]


def questions(count: int) -> list[Example]:
    """Texts whose colour is asked for; every fourth names none, and some take two windows."""
    found: list[Example] = []
    for i in range(count):
        before = f"the door {'one two ' * (1 + 5 * (i % 3))}is "
        colour = COLOURS[i % 3]
        answers = (Span(len(before), len(before) + len(colour), "", colour),) if i % 4 else ()
        context = f"{before}{colour if answers else 'closed'} and the lights of the kitchen are on"
        found.append(
            QuestionExample(
                id=f"row-{i}",
                where=f"small.json: row {i}",
                question="red green?",
                context=context,
                answers=answers,
            )
        )
    return found


def pairs(count: int) -> list[Example]:
    """Queries and the texts that name the same colour."""
    return [
        PairExample(
            id=f"row-{i}",
            where=f"small.jsonl: row {i}",
            query=f"{COLOURS[i % 5]} {i}",
            positive=f"the {'one ' * (i % 4)}door is {COLOURS[i % 5]} {i}",
        )
        for i in range(count)
    ]


ROWS = {
    "answer": questions,
    "classify": texts,
    "embed": pairs,
    "generate": chats,
    "regress": numbers,
    "tag": tagged,
    "transform": chats,
}
"""By task: what makes its rows."""


class Small:
    """Everything that ``loop.run`` needs, for a base and a few knobs."""

    def __init__(
        self,
        base: Base,
        task: str,
        method: Any,
        *,
        rows: int = 24,
        held: int = 8,
        knobs_of_task: Any = None,
        **train: Any,
    ) -> None:
        self.base = base
        self.renderer: ChatRenderer = load_renderer(base)
        knobs = {"threads": 1, "precision": "float32", "epochs": 3, "batch_size": 8, **train}
        self.recipe: Recipe = parse_recipe(
            {
                "task": {"name": task, **(knobs_of_task or {})},
                "base": str(base.folder),
                "data": {"train": "small.jsonl"},
                "method": method,
                "train": knobs,
            }
        )
        examples = ROWS[task](rows + held)
        resolved = self.recipe.task.resolve(examples).settle(examples[:rows])
        assert not isinstance(resolved, Classify) or resolved.labels
        self.rows: Rows = self._encode(examples[:rows], resolved)
        self.validation: Rows = self._encode(examples[rows:], resolved)
        whole = self.recipe.model_copy(update={"task": resolved})
        rows_of, held_of = {"": self.rows}, {"": self.validation}
        self.plan: Plan = make_plan(whole, base, rows_of, held_of, 0, MACHINE)

    def _encode(self, examples: list[Example], task: Any) -> Rows:
        return encode(examples, task, self.renderer, max_length=None, on_too_long="error")

    def new_run(self, home: Path) -> Run:
        run = Run.create(home, "small")
        run.write("recipe.yaml", dump_recipe(self.plan.recipe))
        return run

    def arguments(self, run: Run) -> tuple[Plan, Base, dict[str, Rows], dict[str, Rows], Run]:
        return self.plan, self.base, {"": self.rows}, {"": self.validation}, run
