"""Scores of labels against scikit-learn."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)

from afina.errors import RecipeError
from afina.evaluate.intervals import total
from afina.evaluate.labels import class_counting, confusion, per_class
from afina.evaluate.scorer import Context, statistics
from afina.evaluate.scorers import SCORERS
from afina.types import Answer
from tests.evaluate.candidates import labelled

NAMES = tuple("abcdefg")
CONTEXT = Context(labels=NAMES)
SKLEARN = {"f1": f1_score, "precision": precision_score, "recall": recall_score}


def score(name: str, gold: list[tuple[str, ...]], given: list[tuple[str, ...]], context: Context):
    scorer = SCORERS[name]
    counting = scorer.counting(context)
    rows = [
        counting.count(e, Answer("", g), Answer("", a))
        for e, g, a in zip(labelled(gold), gold, given, strict=True)
    ]
    return float(scorer.score(total(statistics(rows, counting.width))))


def random_rows(seed: int, several: bool) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Some labels never occur, so that the rule for absent classes is met."""
    random = Random(seed)
    known = NAMES[: random.randint(2, len(NAMES))]
    count = random.randint(1, 60)
    if several:
        return tuple(  # type: ignore[return-value]
            [tuple(n for n in known if random.random() < 0.4) for _ in range(count)]
            for _ in range(2)
        )
    gold = [(random.choice(known),) for _ in range(count)]
    return gold, [g if random.random() < 0.6 else (random.choice(known),) for g in gold]


def indicator(rows: list[tuple[str, ...]], present: list[str]) -> np.ndarray:
    return np.array([[label in row for label in present] for row in rows], int)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("measure", ["f1", "precision", "recall"])
def test_one_label_equals_scikit_learn(seed: int, average: str, measure: str) -> None:
    gold, given = random_rows(seed, several=False)
    flat_gold, flat_given = [g[0] for g in gold], [a[0] for a in given]
    expected = SKLEARN[measure](flat_gold, flat_given, average=average, zero_division=0)
    assert score(f"{average}_{measure}", gold, given, CONTEXT) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("average", ["macro", "micro"])
@pytest.mark.parametrize("measure", ["f1", "precision", "recall"])
def test_several_labels_equal_scikit_learn(seed: int, average: str, measure: str) -> None:
    gold, given = random_rows(seed, several=True)
    present = sorted({label for row in [*gold, *given] for label in row})
    if not present:
        assert score(f"{average}_{measure}", gold, given, CONTEXT) == 0.0
        return
    expected = SKLEARN[measure](
        indicator(gold, present), indicator(given, present), average=average, zero_division=0
    )
    context = Context(labels=NAMES, several=True)
    assert score(f"{average}_{measure}", gold, given, context) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_accuracy_equals_scikit_learn(seed: int) -> None:
    gold, given = random_rows(seed, several=False)
    expected = accuracy_score([g[0] for g in gold], [a[0] for a in given])
    assert score("accuracy", gold, given, CONTEXT) == pytest.approx(expected)
    several_gold, several_given = random_rows(seed, several=True)
    expected = np.mean([set(g) == set(a) for g, a in zip(several_gold, several_given, strict=True)])
    assert score("accuracy", several_gold, several_given, CONTEXT) == pytest.approx(expected)


def test_an_answer_outside_the_labels_is_wrong_and_belongs_to_no_class() -> None:
    gold: list[tuple[str, ...]] = [("a",), ("a",), ("b",)]
    given: list[tuple[str, ...]] = [("a",), ("nonsense",), ()]
    assert score("accuracy", gold, given, CONTEXT) == pytest.approx(1 / 3)
    assert score("macro_recall", gold, given, CONTEXT) == pytest.approx((1 / 2 + 0) / 2)
    assert score("micro_precision", gold, given, CONTEXT) == 1.0


def test_labels_are_compared_as_sets() -> None:
    gold: list[tuple[str, ...]] = [("a", "b"), ()]
    assert score("exact_match", gold, [("b", "a"), ()], CONTEXT) == 1.0
    assert score("exact_match", gold, [("a",), ("a",)], CONTEXT) == 0.0


@pytest.mark.parametrize("seed", range(10))
def test_per_class_equals_scikit_learn(seed: int) -> None:
    gold, given = random_rows(seed, several=False)
    counting = class_counting(CONTEXT)
    rows = [
        counting.count(e, Answer("", g), Answer("", a))
        for e, g, a in zip(labelled(gold), gold, given, strict=True)
    ]
    found = per_class(NAMES, total(statistics(rows, counting.width)))
    expected = precision_recall_fscore_support(
        [g[0] for g in gold], [a[0] for a in given], labels=list(NAMES), zero_division=0
    )
    assert [row["label"] for row in found] == list(NAMES)
    assert [row["support"] for row in found] == list(expected[3])
    for column, name in enumerate(("precision", "recall", "f1")):
        for row, value in zip(found, expected[column], strict=True):
            assert row[name] is None or row[name] == pytest.approx(value)
    absent = set(NAMES) - {label for row in [*gold, *given] for label in row}
    assert {row["label"] for row in found if row["f1"] is None} == absent


@pytest.mark.parametrize("seed", range(5))
def test_confusion_equals_scikit_learn(seed: int) -> None:
    gold, given = random_rows(seed, several=False)
    found = confusion(NAMES, [Answer("", g) for g in gold], [Answer("", a) for a in given])
    dense = np.zeros((len(NAMES), len(NAMES)), int)
    for right, answer, rows in found["cells"]:
        dense[right, answer] = rows
    expected = confusion_matrix([g[0] for g in gold], [a[0] for a in given], labels=list(NAMES))
    assert (dense == expected).all()
    assert found["labels"] == list(NAMES)


def test_confusion_has_a_column_for_answers_that_are_no_label() -> None:
    found = confusion(("a", "b"), [Answer("", ("a",))] * 2, [Answer("x"), Answer("", ("zzz",))])
    assert found == {"labels": ["a", "b", ""], "cells": [[0, 2, 2]]}


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "micro_recall"])
def test_label_scorers_refuse_a_task_without_labels(name: str) -> None:
    with pytest.raises(RecipeError, match="labels"):
        SCORERS[name].counting(Context())
