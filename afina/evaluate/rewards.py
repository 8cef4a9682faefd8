"""What answers are worth to the reward that a policy learned by, and how often the tuned model's are
worth more than another's: the win rate, against the model it began as among others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from afina.evaluate.finding import Column, Finding, Material, RowMeasure
from afina.evaluate.paired import mcnemar
from afina.evaluate.row_measure import cell
from afina.evaluate.scorer import Array
from afina.evaluate.statement import Statement

UNTUNED = ("base", "zero_shot")
"""The model that the policy began as; the first that was measured stands in the sentence."""


def find(material: Material) -> Finding | None:
    """The mean reward of each candidate, and the tuned model's wins over it (a tie counts as half), with
    a sign test over the rows; None where nothing was learned by a reward."""
    if material.rate is None:
        return None
    questions = [material.task.question(example) for example in material.test]
    worth = {
        m.name: np.asarray(material.rate(questions, m.answers, material.golds), np.float64)
        for m in material.measured
        if m.failure is None and len(m.answers) == len(questions)
    }
    every = np.concatenate(list(worth.values()))
    ends = min(0.0, float(every.min())), max(1.0, float(every.max()))
    mean = RowMeasure("reward", "number", 1, every, False, ends)
    confidence, own = material.settings.confidence, worth[material.tuned]
    rows: list[dict[str, Any]] = []
    for name, values in worth.items():
        row: dict[str, Any] = {"candidate": name, "mean_reward": cell(values, mean, confidence)}
        rows.append(row | (_won(own, values, confidence) if name != material.tuned else {}))
    other = next((row for name in UNTUNED for row in rows if row["candidate"] == name), None)
    columns = (
        Column("candidate", "candidate"),
        Column("mean_reward", "score", "number"),
        Column("win_rate", "score"),
        Column("p_value", "probability"),
    )
    return Finding("rewards", (_said(rows, other),), columns, tuple(rows))


def _won(own: Array, other: Array, confidence: float) -> dict[str, Any]:
    """How often the first is worth more."""
    points = np.where(own > other, 1.0, np.where(own < other, 0.0, 0.5))
    halves = RowMeasure("win_rate", "share", 1, points, False, (0.0, 1.0))
    wins, losses = int((points > 0.5).sum()), int((points < 0.5).sum())
    return {"win_rate": cell(points, halves, confidence), "p_value": mcnemar(wins, losses)}


def _said(rows: Sequence[Any], other: Any) -> Statement:
    tuned = next(row for row in rows if "win_rate" not in row)
    told = {"tuned": tuned["candidate"], "reward": tuned["mean_reward"]["value"]}
    if other is None:
        return Statement("rewards_alone", told)
    values = {"baseline": other["candidate"], "before": other["mean_reward"]["value"]}
    return Statement(
        "rewards_told", told | values | other["win_rate"] | {"p_value": other["p_value"]}
    )
