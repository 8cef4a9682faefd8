"""One number a row: what slices, worst rows and changed questions are measured by.

A macro average or a correlation is of a whole test. A row has its own share in something plainer:
whether the answer is right, how far a number is off, or its own chrF or ROUGE.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from afina.evaluate.answers import exact_counting
from afina.evaluate.finding import Material, RowMeasure
from afina.evaluate.intervals import Interval, unseen, wilson
from afina.evaluate.numbers import absolute_counting
from afina.evaluate.scorer import Array, Context, Scorer, mean, statistics

EXACT = Scorer("exact_match", "", exact_counting, mean, proportion=True)
ABSOLUTE = Scorer("mae", "", absolute_counting, mean, better="lower", unit="number", highest=None)


def scorer_of(material: Material) -> Scorer:
    """The score whose value for a single row makes sense for this task."""
    context = Context.of(material.task)
    if context.scale is not None:
        return ABSOLUTE
    whole = context.labels or context.types or material.judged.source != "answers"
    return EXACT if whole else material.judged


def _measured_by(material: Material) -> Scorer:
    return scorer_of(material) if material.judged.source == "answers" else material.judged


def of_counted(material: Material) -> Material:
    """The material of the rows that the measure is of: an answer that no test judges is not wrong."""
    scorer, key = _measured_by(material), (material.tuned, material.judged.name)
    if scorer is not material.judged:
        return material
    matrix, draws = material.figures[key]
    kept = np.flatnonzero(scorer.counted(matrix)).tolist()
    own = material.own
    return replace(
        material,
        test=[material.test[i] for i in kept],
        golds=[material.golds[i] for i in kept],
        measured=[replace(own, answers=[own.answers[i] for i in kept])],
        figures={key: (matrix[kept], draws)},
    )


def own_rows(material: Material) -> RowMeasure:
    """The measure of the tuned model; of its likelihoods where nothing was answered."""
    scorer = _measured_by(material)
    if scorer is material.judged:  # counted already
        return _of(scorer, material.matrices[material.own.name])
    counting = scorer.counting(Context.of(material.task))
    rows = counting.rows(material.test, material.golds, material.own.answers)
    return _of(scorer, statistics(rows, counting.width))


def _of(scorer: Scorer, matrix: Any) -> RowMeasure:
    values = np.asarray(scorer.score(matrix.toarray()), np.float64)
    bounds = (scorer.lowest, scorer.highest)
    return RowMeasure(scorer.name, scorer.unit, scorer.sign, values, scorer.proportion, bounds)


def around(values: Array, of: RowMeasure, confidence: float) -> Interval:
    """The interval of a mean: Wilson's for zeros and ones, else Student's."""
    from scipy.special import stdtrit

    rows, value = len(values), float(values.mean())
    if of.hits:
        return Interval(*wilson(float(values.sum()), rows, confidence), "wilson")
    deviation = float(values.std(ddof=1)) if rows > 1 else 0.0
    if deviation == 0.0:
        return unseen(value, *of.bounds, rows, confidence)
    half = float(stdtrit(rows - 1, 0.5 + confidence / 2)) * deviation / rows**0.5
    lowest, highest = of.bounds
    high = value + half if highest is None else min(value + half, highest)
    return Interval(max(lowest, value - half), high, "student")


def cell(values: Array, of: RowMeasure, confidence: float) -> dict[str, Any]:
    """A mean with its interval, as a cell of a table."""
    found = around(values, of, confidence)
    return {"value": float(values.mean()), "low": found.low, "high": found.high}
