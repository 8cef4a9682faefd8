"""The space of a sweep: what is refused before anything is trained, and what is suggested."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from afina.errors import MachineError, RecipeError
from afina.recipe import Recipe, explain, parse_recipe
from afina.sweep.space import VALIDATION_LOSS, Knob, applied, chosen, holds_all, space_of, usual
from afina.sweep.study import Study


def recipe(space: dict[str, Any], **changes: Any) -> Recipe:
    return parse_recipe(
        {
            "task": "classify",
            "base": "some/base",
            "data": {"train": "rows.csv"},
            "method": {"name": "lora", "rank": 8},
            "sweep": {"space": space},
            **changes,
        }
    )


def space(made: Recipe, metric: str = "macro_f1") -> tuple[Knob, ...]:
    return space_of(made, SimpleNamespace(recipe=made), metric)  # type: ignore[arg-type]


class Ends:
    """Suggests the last choice, or the upper end."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return high

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        return high

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        return choices[-1]


@pytest.mark.parametrize(
    ("key", "values", "told"),
    [
        ("train.learning_rat", {"low": 1e-4, "high": 1e-3}, "no knob"),
        ("data.limit", {"low": 10, "high": 20}, "same rows"),
        ("evaluate.few_shot", {"low": 1, "high": 4}, "same rows"),
        ("train.seed", {"low": 1, "high": 9}, "lucky"),
        ("train.context.length", {"choices": [128, 256]}, "one base"),
        ("train.learning_rate", {"low": 1e-4, "high": 50.0}, "less than 10"),
        ("train.schedule", {"choices": ["linear", "wavy"]}, "wavy"),
        ("method.length", {"low": 4, "high": 8}, "no method that is tried has it"),
        ("method", {"choices": ["lora", "loar"]}, "loar"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_key(
    key: str, values: dict[str, Any], told: str
) -> None:
    with pytest.raises(RecipeError) as caught:
        space(recipe({key: values}))
    assert told in str(caught.value)
    assert key in caught.value.where


@pytest.mark.parametrize(
    "values",
    [
        {"low": 1},
        {"low": 2, "high": 1},
        {"low": 0, "high": 1, "log": True},
        {"choices": [1]},
        {"choices": [1, 2], "low": 1, "high": 2},
        {},
    ],
)
def test_a_range_is_said_in_one_way(values: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"train\.epochs"):
        recipe({"train.epochs": values})


def test_the_keys_below_a_name_are_explained_and_an_unknown_one_is_told() -> None:
    keys = [key for key, _, _ in explain("sweep.space")]
    assert "sweep.space.NAME.low" in keys
    with pytest.raises(RecipeError, match=r"sweep\.space\.train\.epochs\.lo\b"):
        recipe({"train.epochs": {"lo": 1, "high": 2}})


def test_losses_are_not_compared_across_what_changes_them() -> None:
    with pytest.raises(RecipeError, match="cannot be compared"):
        space(recipe({"train.max_length": {"low": 8, "high": 16}}), VALIDATION_LOSS)


def test_a_knob_of_one_method_is_suggested_with_that_method_only() -> None:
    made = recipe(
        {
            "method.rank": {"choices": [4, 16]},
            "method": {"choices": ["lora", {"name": "partial", "train_layers": 1}]},
            "train.epochs": {"low": 2, "high": 5},
        }
    )
    found = space(made)
    assert found[0].key == "method"
    values = chosen(found, Ends(), made)
    assert values == {"method": {"name": "partial", "train_layers": 1}, "train.epochs": 5}
    tried = applied(made, values)
    assert tried.method is not None and tried.method.name == "partial"
    assert tried.train.epochs == 5
    swapped = recipe({"method.rank": {"choices": [4, 16]}, "method": {"choices": ["full", "lora"]}})
    assert chosen(space(swapped), Ends(), swapped) == {"method": "lora", "method.rank": 16}


def test_the_recipe_as_it_stands_is_known_where_the_space_holds_it() -> None:
    made = recipe({"method.rank": {"choices": [4, 8]}, "train.epochs": {"low": 2, "high": 5}},
                  train={"epochs": 3})  # fmt: skip
    plan: Any = SimpleNamespace(recipe=made)
    own = usual(space(made), plan)
    assert own == {"method.rank": "8", "train.epochs": 3}
    assert holds_all(space(made), plan, own)
    outside = made.model_copy(update={"train": made.train.model_copy(update={"epochs": 9})})
    plan = SimpleNamespace(recipe=outside)
    assert not holds_all(space(made), plan, usual(space(made), plan))


def test_without_optuna_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MachineError, match="optuna") as caught:
        Study(tmp_path, 7)
    assert "afina[sweep]" in caught.value.do
