"""Patterns that name parameters: found as expected, refused with a reason, never for ever."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from afina.errors import RecipeError
from afina.methods import Partial
from afina.models.load import load
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.tasks import Generate
from afina.types.patterns import compiled, found, matching
from tests.tiny import Kind

NAMES = ["model.embed.weight", "layers.0.q.bias", "layers.11.q.bias", "layers.1.q.weight"]


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        (r"bias$", {NAMES[1], NAMES[2]}),
        (r"layers\.\d\.", {NAMES[1], NAMES[3]}),
        (r"^model|\.1\.", {NAMES[0], NAMES[3]}),
        ("", set(NAMES)),
        ("nosuch", set()),
    ],
)
def test_names_are_found_anywhere(pattern: str, hits: set[str]) -> None:
    assert matching(pattern, NAMES) == hits


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|a)*$", "(.*)*x", "a?" * 40 + "a" * 40])
def test_a_pattern_that_python_never_finishes_is_answered(pattern: str) -> None:
    long = "a" * 39 + "!"
    assert matching(pattern, [long]) == set()


@pytest.mark.parametrize("pattern", ["(", "(?=a)b", r"(a)\1"])
def test_what_could_match_for_ever_is_refused_with_the_key(pattern: str) -> None:
    asked = {
        "task": "generate",
        "base": "b",
        "data": {"train": "a.csv"},
        "method": {"name": "partial", "freeze": [pattern]},
    }
    with pytest.raises(RecipeError, match="without look-around") as caught:
        parse_recipe(asked)
    assert "method.freeze" in caught.value.where


def test_patterns_of_requests_are_not_kept_for_ever() -> None:
    for i in range(300):
        assert found(f"^a{i}$", f"a{i}")
    assert compiled.cache_info().currsize <= 256


def test_freeze_and_train_are_heard(tiny: Callable[[Kind], Base]) -> None:
    method = Partial(train_layers=1, freeze=("q_proj",), train=(r"layers\.0\.mlp\.up", "q_proj.*$"))
    moving = set(load(tiny("llama"), Generate(), method).trained())
    assert "module.model.layers.0.mlp.up_proj.weight" in moving
    assert "module.model.layers.0.mlp.down_proj.weight" not in moving
    assert "module.model.layers.1.self_attn.q_proj.weight" in moving, "train wins over freeze"
    still = Partial(train_layers=1, freeze=("q_proj",))
    kept = set(load(tiny("llama"), Generate(), still).trained())
    assert "module.model.layers.1.self_attn.q_proj.weight" not in kept
    assert "module.model.layers.1.self_attn.k_proj.weight" in kept
    with pytest.raises(RecipeError, match="no parameter of this base matches 'nosuch'"):
        load(tiny("llama"), Generate(), Partial(train=("nosuch",)))
