"""The plan's rate where a head begins fitted to few rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from afina.models.sources import Base
from afina.train.plan import make_plan
from tests.tiny import Kind
from tests.train.small import MACHINE, Small

Tiny = Callable[[Kind], Base]


def rate(small: Small) -> tuple[float, str]:
    why = next(d.reason for d in small.plan.derived if d.key == "train.learning_rate")
    return float(small.plan.recipe.train.learning_rate or 0.0), why


def test_few_rows_under_a_fitted_head_are_learned_gently(tiny: Tiny) -> None:
    found, why = rate(Small(tiny("minilm"), "classify", "full"))
    assert found == pytest.approx(5e-5) and "24 rows under a head that begins fitted" in why
    many, _ = rate(Small(tiny("minilm"), "classify", "full", rows=4000))
    assert many == pytest.approx(1e-4)


@pytest.mark.parametrize(
    ("task", "method", "knobs", "expected"),
    [
        ("classify", "full", {"knobs_of_task": {"head_start": "random"}}, 2e-4),
        ("tag", "full", {}, 2e-4),
        ("classify", "full", {"learning_rate": 3e-4}, 3e-4),
        ("classify", "full", {"rows": 8000}, 2e-4),
    ],
)
def test_and_nothing_else_is(
    tiny: Tiny, task: str, method: str, knobs: dict[str, object], expected: float
) -> None:
    found, why = rate(Small(tiny("minilm"), task, method, **knobs))  # type: ignore[arg-type]
    assert found == pytest.approx(expected) and "fitted" not in why


def test_a_larger_base_has_a_low_rate_of_its_own(tiny: Tiny) -> None:
    small = Small(tiny("minilm"), "classify", "full")
    larger = replace(small.base, parameters=110_000_000)
    plan = make_plan(small.plan.recipe.model_copy(update={"train": small.recipe.train}), larger,
                     {"": small.rows}, {"": small.validation}, 0, MACHINE)  # fmt: skip
    assert plan.recipe.train.learning_rate == pytest.approx(5e-5)
    assert all("fitted" not in d.reason for d in plan.derived)
