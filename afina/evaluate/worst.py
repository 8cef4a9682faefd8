"""The rows of the test that the tuned model got most wrong, by their ids."""

from __future__ import annotations

import math

import numpy as np

from afina.evaluate.finding import Column, Finding, Material
from afina.evaluate.row_measure import of_counted, own_rows
from afina.evaluate.scorer import Array
from afina.evaluate.statement import Statement

MOST_ROWS = 10
MOST_CHARACTERS = 200
"""Longer texts are cut in the table; the id names the row."""


def find(material: Material) -> Finding | None:
    """The rows with the largest loss (where the model gives probabilities), else the lowest score."""
    wanted = min(MOST_ROWS, material.settings.samples)
    if not wanted:
        return None
    material = of_counted(material)
    of = own_rows(material)
    losses = _losses(material)
    badness = -of.sign * of.values if losses is None else losses
    wrong = of.values != of.bounds[1 if of.sign > 0 else 0]
    order = [int(i) for i in np.argsort(-badness, kind="stable") if wrong[i]][:wanted]
    if not order:
        return None
    answers = material.own.answers
    rows = [
        {
            "row": material.test[i].id,
            "where": material.test[i].where,
            "question": cut(material.task.question(material.test[i]).joined().text),
            "gold": cut(material.golds[i].text),
            "given_label": cut(answers[i].text),
            "loss": float(badness[i]) if losses is not None else float(of.values[i]),
        }
        for i in order
    ]
    kind = ("loss", "plain", "share") if losses is not None else ("loss", "score", of.unit)
    columns = [Column(key, "text") for key in ("row", "where", "question", "gold", "given_label")]
    said = Statement("worst_loss" if losses is not None else "worst_score", {"shown": len(rows)})
    return Finding("worst", (said,), (*columns, Column(*kind)), tuple(rows))


def _losses(material: Material) -> Array | None:
    """Negative log-probability of the right label; None where there are no such probabilities."""
    found = []
    for gold, answer in zip(material.golds, material.own.answers, strict=True):
        if answer.probabilities is None or len(gold.labels) != 1:
            return None
        found.append(-math.log(max(1e-12, answer.probabilities.get(gold.labels[0], 0.0))))
    return np.asarray(found)


def cut(text: str) -> str:
    """A text as long as a table holds."""
    return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
