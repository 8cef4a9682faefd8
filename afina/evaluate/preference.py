"""Which of two answers a candidate finds more probable, and what it has learned to prefer."""

from __future__ import annotations

from collections.abc import Sequence

from afina.errors import RecipeError
from afina.evaluate.scorer import Context, Counting, Row, Scorer, mean
from afina.types import Answer, ChatExample, Example, JudgedExample, PreferenceExample

REFERENCE = "base"
"""The candidate that ``preference_gain`` compares with."""
Nats = Sequence[float]
"""Negative log-probabilities of a row's answers: of the better and the worse one, or of the one."""


def answered(example: Example) -> tuple[ChatExample, ...]:
    """The conversations of a row whose answers are compared. Raises RecipeError if there are none."""
    if isinstance(example, PreferenceExample):
        return (example.better, example.worse)
    if isinstance(example, JudgedExample):
        return (example,)
    raise RecipeError(
        "preference_accuracy and preference_gain compare answers, and the rows have one each",
        where="evaluate.scorers",
        do="take them out, or give rows with chosen and rejected answers",
    )


def preference_rows(
    scorer: Scorer, test: Sequence[Example], own: Sequence[Nats], reference: Sequence[Nats] | None
) -> list[Row] | None:
    """Statistics (hits, rows) of each row; None where the reference is needed and was not measured.

    A tie counts half.
    """
    if scorer.source == "preference":
        return [_hit(_lead(nats)) for nats in own]
    if reference is None:
        return None
    rows: list[Row] = []
    for example, now, before in zip(test, own, reference, strict=True):
        lead = _lead(now) - _lead(before)
        bad = isinstance(example, JudgedExample) and not example.good
        rows.append(_hit(-lead if bad else lead))
    return rows


def _lead(nats: Nats) -> float:
    """By how many nats the better answer is the more probable one; of one answer, its own."""
    return nats[1] - nats[0] if len(nats) == 2 else -nats[0]


def _hit(lead: float) -> Row:
    return {0: 1.0 if lead > 0 else 0.5 if lead == 0 else 0.0, 1: 1.0}


def accuracy_counting(context: Context) -> Counting:
    """Statistics: pairs in the right order, pairs; they come from the predictor."""
    context.require_text("preference_accuracy")
    return Counting(2, _none)


def gain_counting(context: Context) -> Counting:
    """Statistics: answers moved the right way, rows; they come from two predictors."""
    context.require_text("preference_gain")
    return Counting(2, _none)


def _none(example: Example, gold: Answer, answer: Answer) -> Row:
    raise TypeError("preferences are counted from likelihoods, not from answers")


PREFERENCE_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "preference_accuracy",
        "Share of the pairs whose better answer the model finds more probable than the worse one.",
        accuracy_counting,
        mean,
        source="preference",
    ),
    Scorer(
        "preference_gain",
        "Share of the rows whose better answer has gained probability on the worse one since the "
        "base (of single answers: moved the way it was judged); the base itself has one half.",
        gain_counting,
        mean,
        source="gain",
    ),
)
