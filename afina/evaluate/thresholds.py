"""Thresholds of labels, chosen on validation rows, and what they save beside those that are usual."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from afina.evaluate.labels import cost_of
from afina.tasks import Classify
from afina.tasks.thresholds import Chosen, choose
from afina.types import Answer, Task

Probabilities = Sequence[Mapping[str, float]]


def settle(
    task: Classify, probabilities: Probabilities, golds: Sequence[Iterable[str]]
) -> tuple[Classify, list[dict[str, Any]]]:
    """The task with the thresholds that what is wanted asks for, and how each came about.

    ``probabilities`` and ``golds`` (right labels) of rows that nothing was learned from. A label with
    too few rows, or whose wish is out of reach, stays at the usual threshold, and that is said.
    """
    right = [frozenset(labels) for labels in golds]
    thresholds: dict[str, float] = {}
    lines: list[dict[str, Any]] = []
    for label in task.known_labels:
        wanted = task.wants(label)
        if wanted is None:
            continue
        found: Chosen = choose(
            wanted, [p[label] for p in probabilities], [label in own for own in right]
        )
        if found.why == "chosen":
            thresholds[label] = found.threshold
        lines.append(
            {
                "label": label,
                "wanted": wanted.model_dump(exclude_none=True),
                "threshold": found.threshold if found.why == "chosen" else task.threshold,
                "why": found.why,
                "positives": found.positives,
                "rows": found.rows,
            }
        )
    return task.model_copy(update={"thresholds": thresholds or None}), lines


def chooses(task: Task) -> bool:
    """Whether thresholds are to be chosen: something is wanted and they are not given."""
    return (
        isinstance(task, Classify)
        and task.thresholds is None
        and bool(task.wanted or task.wanted_of)
    )


def compared(
    task: Task,
    golds: Sequence[Answer],
    answers: Sequence[Answer],
    lines: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """How the thresholds were chosen (``lines`` of ``settle``), and where costs are stated what the
    answers cost a row, with these thresholds and with the usual ones; empty where none were chosen."""
    if not lines or not isinstance(task, Classify):
        return {}
    found: dict[str, Any] = {"labels": list(lines)}
    if task.costs and all(answer.probabilities is not None for answer in answers):
        usual = task.model_copy(update={"thresholds": None})
        given = {
            "cost": [answer.labels for answer in answers],
            "cost_at_usual": [usual.given(answer.probabilities or {}) for answer in answers],
        }
        for name, labels in given.items():
            costs = (
                cost_of(task.costs, g.labels, own) for g, own in zip(golds, labels, strict=True)
            )
            found[name] = sum(costs) / len(golds)
    return found
