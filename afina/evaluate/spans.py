"""Scores of labelled stretches: a stretch counts only if its borders and its label are both right.

As ``conlleval`` and ``seqeval`` (strict) count them.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from afina.evaluate.labels import Measure, macro, micro
from afina.evaluate.scorer import Context, Counting, Row, Scorer, mean
from afina.tasks.words import tags_of, words
from afina.types import Answer, Example, Span, TaggedExample


def span_counting(context: Context) -> Counting:
    """Statistics: for each of C labels true positives, then false positives, false negatives."""
    context.require_spans("entity_f1")
    number = {label: i for i, label in enumerate(context.types)}
    classes = len(number)

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        right = {s.key for s in gold.spans or ()}
        given = {s.key for s in answer.spans or ()}
        row: dict[int, float] = {}
        for part, keys in enumerate((right & given, given - right, right - given)):
            for _start, _end, label in keys:
                column = part * classes + number[label]
                row[column] = row.get(column, 0.0) + 1.0
        return row

    return Counting(3 * classes, count)


def word_counting(context: Context) -> Counting:
    """Statistics: words with the right tag, words."""
    context.require_spans("word_accuracy")

    def count(example: Example, gold: Answer, answer: Answer) -> Row:
        assert isinstance(example, TaggedExample)
        places = words(example.text)
        right, given = (
            tags_of(places, sorted(said.spans or (), key=_begin), "bio") for said in (gold, answer)
        )
        same = sum(one == other for one, other in zip(right, given, strict=True))
        return {0: float(same), 1: float(len(places))}

    return Counting(2, count)


def _begin(span: Span) -> int:
    return span.start


def _scorer(name: str, average: Any, measure: Measure, sentence: str) -> Scorer:
    return Scorer(name, sentence, span_counting, partial(average, measure))


SPAN_SCORERS: tuple[Scorer, ...] = (
    _scorer(
        "entity_f1",
        micro,
        "f1",
        "F1 of the stretches found, all labels together; borders and label must both be right.",
    ),
    _scorer("entity_precision", micro, "precision", "Share of the stretches found that are right."),
    _scorer("entity_recall", micro, "recall", "Share of the right stretches that were found."),
    _scorer(
        "macro_entity_f1",
        macro,
        "f1",
        "F1 of the stretches of each label, averaged with equal weight.",
    ),
    Scorer(
        "word_accuracy",
        "Share of the words with the right tag, those outside of every stretch included.",
        word_counting,
        mean,
    ),
)
