"""A baseline of labels with the thresholds that the recipe asks for, as the tuned model has them.

They are chosen on the same validation rows in the same way, so that a tuned model is not better for
its thresholds alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from afina.baselines.request import Baseline, Fitted, Request
from afina.evaluate.thresholds import chooses, settle
from afina.tasks import Classify
from afina.types import Answer, Input, LabelledExample


def weighed(baseline: Baseline, request: Request) -> Baseline:
    """The baseline as it is where nothing is wanted, or it gives no probabilities."""
    task, rows = request.task, request.validation
    if not isinstance(task, Classify) or not chooses(task):
        return baseline
    answers = baseline.predict([task.question(row) for row in rows])
    known = [a.probabilities for a in answers if a.probabilities is not None]
    if len(known) < len(rows):
        return baseline
    own, _ = settle(task, known, [cast(LabelledExample, row).labels for row in rows])

    def answer(inputs: Sequence[Input]) -> list[Answer]:
        given = [(a, own.given(a.probabilities or {})) for a in baseline.predict(inputs)]
        return [replace(a, labels=labels, text=" | ".join(labels)) for a, labels in given]

    return Fitted(baseline.name, baseline.facts, answer)
