"""Every objective with every method: trained, saved, opened again with the same answers, by the gate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina.errors import RecipeError
from afina.methods import METHODS
from afina.models.sources import Base
from afina.objectives import OBJECTIVES
from afina.train import loop
from afina.types import Example, TextExample
from tests.objectives.pairs import Tried, pairs
from tests.objectives.test_policy import asked
from tests.tiny import Kind
from tests.train.small import chats

GENERATE = {"name": "generate", "max_new_tokens": 4}
LINE = "The lights of the kitchen are on and the door of the garage is closed."


def lines(count: int) -> list[Example]:
    return [TextExample(id=f"t-{i}", where=f"row {i}", text=f"{i} {LINE}") for i in range(count)]


CELLS: dict[str, tuple[Any, Any, Callable[[int], list[Example]]]] = {
    "supervised with keep": ({"name": "supervised", "keep": 0.5}, GENERATE, chats),
    "prefer": ("prefer", GENERATE, pairs),
    "reward": ("reward", {"name": "score", "head_start": "random"}, pairs),
    "continue": ("continue", {"name": "text", "window": 32}, lines),
    "policy": ({"name": "policy", "reward": "contains", "group": 4}, GENERATE, asked),
}


def test_every_objective_has_a_cell() -> None:
    """``distill`` needs a run that teaches: it stands in its own file. ``contrast`` has no rows here."""
    named = {o if isinstance(o, str) else o["name"] for o, _, _ in CELLS.values()}
    known = {str(kind.model_fields["name"].default) for kind in OBJECTIVES}
    assert known - named <= {"distill", "contrast"}


@pytest.mark.parametrize("method", [str(m.model_fields["name"].default) for m in METHODS])
@pytest.mark.parametrize("cell", CELLS)
def test_trains_saves_and_answers_the_same(
    tiny: Callable[[Kind], Base], tmp_path: Path, cell: str, method: str
) -> None:
    objective, task, make = CELLS[cell]
    knobs = {"name": "partial", "train_layers": 1} if method == "partial" else method
    if method == "features" and cell != "reward":
        with pytest.raises(RecipeError, match="moves nothing but a new head"):
            Tried(tiny("llama"), objective, make(12), task=task, method=knobs)
        return
    tried = Tried(
        tiny("llama"), objective, make(12), task=task, method=knobs, epochs=1, learning_rate=5e-3
    )
    figures = loop.run(*tried.arguments(tried.new_run(tmp_path)))
    assert figures["steps"] == 2
    assert figures["reload_difference"] == 0.0
    assert 0 < figures["trainable_parameters"] <= figures["total_parameters"]
