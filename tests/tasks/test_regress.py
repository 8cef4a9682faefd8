"""Numbers for texts: what the head learns, and what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from afina.errors import DataError
from afina.models.load import load, load_renderer
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.tasks import Regress
from afina.types import Input, Message, NumberExample
from tests.tiny import Kind


def rows(*numbers: float, second: str | None = None) -> list[NumberExample]:
    return [
        NumberExample(id=str(i), where=f"row {i}", text="red door", second=second, number=n)
        for i, n in enumerate(numbers)
    ]


def test_mean_and_deviation_are_those_of_the_training_rows() -> None:
    task = Regress().resolve(rows(1, 2, 900)).settle(rows(10, 20, 30))
    assert task.scale == (20.0, pytest.approx((200 / 3) ** 0.5))
    said = task.from_scores([1.5])
    assert said.number == pytest.approx(20 + 1.5 * (200 / 3) ** 0.5)
    assert said.text == f"{said.number:.6g}"


def test_a_scale_that_is_stated_stays() -> None:
    assert Regress(mean=0.0, deviation=2.0).settle(rows(10, 20)).scale == (0.0, 2.0)


def test_targets_are_standardised_and_undone(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("bert"))
    task = Regress().settle(rows(-3, 4, 8))
    for example in rows(-3, 4, 8):
        row = task.encode(example, renderer)
        assert row.ids == renderer.text("red door")
        assert task.from_scores([float(row.targets[0])]).number == pytest.approx(example.number)


@pytest.mark.parametrize("numbers", [(5.0, 5.0), (0.0,), ()])
def test_equal_numbers_are_refused(numbers: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="nothing to learn"):
        Regress().resolve(rows(*numbers))


def test_training_rows_with_equal_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="every training row"):
        Regress().settle(rows(5, 5))


def test_a_pair_is_asked_as_it_is_trained(tiny: Callable[[Kind], Base]) -> None:
    task = Regress().settle(rows(1, 2))
    tuned = TunedModel(load(tiny("bert"), task))
    (example,) = rows(1, second="one two")
    row = task.encode(example, tuned.model.renderer)
    assert tuned.prompt(task.question(example)) == row.ids
    assert row.ids != tuned.prompt(Input((Message("user", "red door one two"),)))
    alone, pair = tuned.predict([Input((Message("user", "red door"),)), task.question(example)])
    assert alone.number != pair.number
    assert pair.prompt_tokens == len(row.ids)
    assert tuned.kinds == {"regress", "embedding"}
