"""Baselines for numbers: the mean, and ridge regression on words and on vectors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from afina.baselines import build
from afina.errors import DataError
from afina.models.sources import Base
from afina.tasks import Classify, Regress
from afina.types import Input, LabelledExample, Message, NumberExample
from tests.tiny import Kind

WORTH = {"red": 1.0, "green": 5.0, "blue": 20.0}


def rows(count: int) -> list[NumberExample]:
    """The number is the sum of what the two texts' colours are worth."""
    names = list(WORTH)
    pairs = [(names[i % 3], names[i // 3 % 3]) for i in range(count)]
    return [
        NumberExample(
            id=str(i), where=f"row {i}", text=f"{a} door", second=b, number=WORTH[a] + WORTH[b]
        )
        for i, (a, b) in enumerate(pairs)
    ]


def asked(text: str, second: str | None = None) -> Input:
    return Input((Message("user", text),), second=second)


def test_the_mean() -> None:
    train = rows(9)
    task = Regress().settle(train)
    found = build("mean", task=task, train=train, base=None).predict([asked("red"), asked("x")])
    assert [a.number for a in found] == [pytest.approx(2 * 26 / 3)] * 2


@pytest.mark.parametrize("name", ["ridge", "embedding_ridge"])
def test_ridge_learns_what_is_linear(name: str, tiny: Callable[[Kind], Base]) -> None:
    train = rows(90)
    task = Regress().settle(train)
    model = build(name, task=task, train=train, base=tiny("minilm"), device="cpu")
    questions = [asked("blue door", "blue"), asked("red door", "red"), asked("green door", "red")]
    found = np.array([a.number for a in model.predict(questions)])
    assert np.abs(found - [40, 2, 6]).max() < 3.5
    assert "penalty" in model.facts.sentence()


def test_a_few_rows_are_enough() -> None:
    train = rows(3)
    model = build("ridge", task=Regress().settle(train), train=train, base=None)
    assert "too few rows" in model.facts.sentence()


def test_they_are_for_numbers_only() -> None:
    train = [LabelledExample(id="1", where="row 1", text="a", labels=("x",))]
    with pytest.raises(DataError, match="this task is classify"):
        build("ridge", task=Classify(labels=("x", "y"), several=False), train=train, base=None)
