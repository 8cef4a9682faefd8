"""Scores of stretches, by hand and against seqeval where it is installed."""

from __future__ import annotations

import random

import pytest

from afina.evaluate.scorers import SCORERS
from afina.evaluate.single import value_of
from afina.tasks import Tag
from afina.tasks.tag import said
from afina.tasks.words import chunks, words
from afina.types import Answer, Span, TaggedExample

TASK = Tag(labels=("LOC", "ORG", "PER"))
TEXT = "a b c d e f g h"
PLACES = words(TEXT)


def spans(tags: str) -> tuple[Span, ...]:
    found = chunks(tags.split())
    return tuple(Span(PLACES[f][0], PLACES[e - 1][1], label) for f, e, label in found)


def rows(*tags: str) -> list[TaggedExample]:
    return [
        TaggedExample(id=str(i), where=f"row {i}", text=TEXT, spans=spans(t))
        for i, t in enumerate(tags)
    ]


def answers(*tags: str) -> list[Answer]:
    return [said(spans(t)) for t in tags]


def scores(golds: list[str], given: list[str]) -> dict[str, float]:
    names = ("entity_f1", "entity_precision", "entity_recall", "macro_entity_f1", "word_accuracy")
    return {n: value_of(SCORERS[n], TASK, rows(*golds), answers(*given)) for n in names}


def test_borders_and_label_must_both_be_right() -> None:
    golds = ["B-PER I-PER O O B-LOC O O O", "O O B-ORG I-ORG I-ORG O O O"]
    given = ["B-PER I-PER O O B-ORG O O O", "O O B-ORG I-ORG O O B-LOC O"]
    found = scores(golds, given)
    assert found["entity_precision"] == pytest.approx(1 / 4)
    assert found["entity_recall"] == pytest.approx(1 / 3)
    assert found["entity_f1"] == pytest.approx(2 / 7)
    assert found["macro_entity_f1"] == pytest.approx(1 / 3)
    assert found["word_accuracy"] == pytest.approx(13 / 16)


def test_nothing_to_find_and_nothing_found() -> None:
    found = scores(["O O O O O O O O"], ["O O O O O O O O"])
    assert found["word_accuracy"] == 1.0
    assert found["entity_f1"] == 0.0  # as conlleval: nothing is right


def test_the_figures_are_those_of_seqeval() -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    draw = random.Random(5)
    names = ["O", "O", *(f"{m}-{t}" for m in "BI" for t in TASK.known_labels)]
    golds = [[draw.choice(names) for _ in PLACES] for _ in range(200)]
    given = [[g if draw.random() < 0.8 else draw.choice(names) for g in row] for row in golds]
    found = scores([" ".join(r) for r in golds], [" ".join(r) for r in given])
    assert found["entity_f1"] == pytest.approx(metrics.f1_score(golds, given))
    assert found["entity_precision"] == pytest.approx(metrics.precision_score(golds, given))
    assert found["entity_recall"] == pytest.approx(metrics.recall_score(golds, given))
    assert found["macro_entity_f1"] == pytest.approx(
        metrics.f1_score(golds, given, average="macro")
    )
