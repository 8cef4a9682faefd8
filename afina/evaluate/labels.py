"""Scores of labels: accuracy, precision, recall, F1, per class and averaged; confusion.

As scikit-learn computes them with ``zero_division=0`` over the classes present: a class that
occurs neither among the right labels nor among the answers is left out of a macro average. An
answer that names no label of the task is wrong (it is missing from the recall of its class) and
belongs to no class.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from afina.errors import RecipeError
from afina.evaluate.scorer import Array, Context, Counting, Row, Scorer, mean, ratio
from afina.types import Answer, Example

OUTSIDE = ""
"""Name, in a confusion matrix, of answers that are no label of the task."""


def class_counting(context: Context) -> Counting:
    """Statistics: for each of C labels true positives, then false positives, false negatives."""
    context.require_labels("macro_f1")
    number = {label: i for i, label in enumerate(context.labels)}
    classes = len(number)

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        right = {number[label] for label in gold.labels}
        given = {number[label] for label in answer.labels if label in number}
        row: dict[int, float] = dict.fromkeys(right & given, 1.0)
        row.update((classes + c, 1.0) for c in given - right)
        row.update((2 * classes + c, 1.0) for c in right - given)
        return row

    return Counting(3 * classes, count)


def accuracy_counting(context: Context) -> Counting:
    """Statistics: rows with exactly the right labels, rows."""
    context.require_labels("accuracy")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        return {0: float(set(gold.labels) == set(answer.labels)), 1: 1.0}

    return Counting(2, count)


def cost_counting(context: Context) -> Counting:
    """Statistics: what the errors about a row's labels cost, rows."""
    if not context.costs:
        raise RecipeError(
            "the scorer expected_cost counts what errors cost, and no costs are stated",
            do="state them: task.wanted or task.wanted_of, with miss and false_alarm",
        )
    costs = {label: (alarm, miss) for label, alarm, miss in context.costs}

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        return {0: cost_of(costs, gold.labels, answer.labels), 1: 1.0}

    return Counting(2, count)


def cost_of(
    costs: Mapping[str, tuple[float, float]], right: Sequence[str], given: Sequence[str]
) -> float:
    """What the errors of one row cost: false alarms and misses of the labels that have costs."""
    alarms = sum(costs[label][0] for label in set(given) - set(right) if label in costs)
    return alarms + sum(costs[label][1] for label in set(right) - set(given) if label in costs)


def parts(sums: Array) -> tuple[Array, Array, Array]:
    """(true positives, false positives, false negatives), each [..., C]."""
    classes = sums.shape[-1] // 3
    return (
        sums[..., :classes],
        sums[..., classes : 2 * classes],
        sums[..., 2 * classes :],
    )


EXPECTED_COST = "expected_cost"
Measure = Literal["precision", "recall", "f1"]


def measure(kind: Measure, right: Array, extra: Array, missed: Array) -> Array:
    """Precision, recall or F1 from counts; 0 where there is nothing to divide by."""
    if kind == "precision":
        return ratio(right, right + extra)
    if kind == "recall":
        return ratio(right, right + missed)
    return ratio(2 * right, 2 * right + extra + missed)


def macro(kind: Measure, sums: Array) -> Array:
    """The mean over the classes that occur."""
    right, extra, missed = parts(sums)
    present = (right + extra + missed) > 0
    values = np.where(present, measure(kind, right, extra, missed), 0.0)
    return ratio(values.sum(-1), present.sum(-1).astype(np.float64))


def micro(kind: Measure, sums: Array) -> Array:
    """From the counts of all classes together."""
    right, extra, missed = (part.sum(-1) for part in parts(sums))
    return measure(kind, right, extra, missed)


def _averaged(name: str, average: Callable[[Measure, Array], Array], sentence: str) -> Scorer:
    kind: Any = name.split("_", 1)[1]
    return Scorer(name, sentence, class_counting, partial(average, kind))


LABEL_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "accuracy",
        "Share of the rows with exactly the right label (or labels).",
        accuracy_counting,
        mean,
        proportion=True,
    ),
    _averaged("macro_f1", macro, "F1 of each class, averaged with equal weight."),
    _averaged("macro_precision", macro, "Precision of each class, averaged with equal weight."),
    _averaged("macro_recall", macro, "Recall of each class, averaged with equal weight."),
    _averaged("micro_f1", micro, "F1 over all labels together, so frequent classes weigh more."),
    _averaged("micro_precision", micro, "Share of the labels given that are right."),
    _averaged("micro_recall", micro, "Share of the right labels that were given."),
    Scorer(
        EXPECTED_COST,
        "Mean cost of a row's errors, by the costs of misses and false alarms that the recipe states.",
        cost_counting,
        mean,
        better="lower",
        unit="number",
        highest=None,
    ),
)


def per_class(labels: Sequence[str], sums: Array) -> list[dict[str, Any]]:
    """Precision, recall, F1 and support of every label of the task, in the task's order.

    ``sums`` [3C] of ``class_counting``. A class that occurs nowhere has null figures and support 0.
    """
    right, extra, missed = parts(sums)
    figures = {k: measure(k, right, extra, missed) for k in ("precision", "recall", "f1")}
    rows: list[dict[str, Any]] = []
    for i, label in enumerate(labels):
        occurs = right[i] + extra[i] + missed[i] > 0
        row: dict[str, Any] = {"label": label}
        row |= {k: float(v[i]) if occurs else None for k, v in figures.items()}
        rows.append(row | {"support": int(right[i] + missed[i])})
    return rows


def confusion(
    labels: Sequence[str], golds: Sequence[Answer], answers: Sequence[Answer]
) -> dict[str, Any]:
    """Right label by given label, sparse: ``cells`` are ``[right, given, rows]`` by number.

    For tasks with one label a row. ``labels`` ends with ``""`` if an answer was no label of the
    task (or not exactly one).
    """
    number = {label: i for i, label in enumerate(labels)}
    outside = len(number)

    def index(answer: Answer) -> int:
        return number.get(answer.labels[0], outside) if len(answer.labels) == 1 else outside

    pairs = Counter((index(g), index(a)) for g, a in zip(golds, answers, strict=True))
    names = list(labels)
    if any(outside in pair for pair in pairs):
        names.append(OUTSIDE)
    return {"labels": names, "cells": [[g, a, n] for (g, a), n in sorted(pairs.items())]}
