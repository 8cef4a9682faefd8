"""Rows that a person can look at: question, right answer, and what each candidate said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from afina.evaluate.answers import exact_counting
from afina.evaluate.asking import Measured
from afina.evaluate.scorer import Context
from afina.evaluate.statement import Statement
from afina.types import Answer, Example, Task


def draw(
    measured: Sequence[Measured],
    test: Sequence[Example],
    golds: Sequence[Answer],
    task: Task,
    tuned: str,
    wanted: int,
    seed: int,
) -> tuple[tuple[Mapping[str, Any], ...], Statement | None]:
    """Up to ``wanted`` rows and how they were drawn.

    Half of them, as far as there are any, are rows that the tuned model got wrong: a report that
    shows only what went well teaches nothing. In the order of the test.
    """
    if not wanted:
        return (), None
    context = Context.of(task)
    asked = [m for m in measured if m.failure is None]
    if context.scale is not None:  # no number is quite the right one
        chosen = sorted(Random(seed).sample(range(len(test)), min(wanted, len(test))))
        rows = tuple(_row(i, test, golds, task, asked, {}) for i in chosen)
        return rows, Statement("samples_random", {"shown": len(rows)})
    count = exact_counting(context).count
    right = {
        m.name: [bool(count(*row).get(0)) for row in zip(test, golds, m.answers, strict=True)]
        for m in asked
    }
    errors = [i for i in range(len(test)) if not right[tuned][i]]
    others = [i for i in range(len(test)) if right[tuned][i]]
    generator = Random(seed)
    take = min(len(errors), max(wanted // 2, wanted - len(others)))
    chosen = generator.sample(errors, take)
    chosen += generator.sample(others, min(len(others), wanted - take))
    rows = tuple(_row(i, test, golds, task, asked, right) for i in sorted(chosen))
    if not take or not others:
        return rows, Statement("samples_random", {"shown": len(rows)})
    values = {"wrong": take, "shown": len(rows), "errors": len(errors), "tuned": tuned}
    return rows, Statement("samples", values)


def _row(
    index: int,
    test: Sequence[Example],
    golds: Sequence[Answer],
    task: Task,
    asked: Sequence[Measured],
    right: Mapping[str, Sequence[bool]],
) -> dict[str, Any]:
    example = test[index]
    return {
        "id": example.id,
        "where": example.where,
        "question": task.question(example).joined().text,
        "gold": golds[index].text,
        "answers": {
            m.name: {
                "text": m.answers[index].text,
                "right": right[m.name][index] if right else None,
            }
            for m in asked
        },
    }
