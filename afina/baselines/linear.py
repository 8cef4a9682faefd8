"""Logistic regression on TF-IDF of words and of pieces of words: no neural network at all."""

from __future__ import annotations

from collections.abc import Sequence

from afina.baselines.features import TfIdf
from afina.baselines.logistic import fit, targets
from afina.baselines.request import Baseline, Facts, Fitted, Request, question_text
from afina.types import Answer, Input

STRENGTHS = (0.5, 2.0, 8.0)


def build(request: Request) -> Baseline:
    """Words, pairs of words, and 2 to 4 characters; the strength is chosen on training rows."""
    task = request.classify("linear")
    features = TfIdf(request.texts(), words=True, characters=(2, 4))
    fitted = fit(
        features.matrix,
        targets(task, request.labels()),
        several=bool(task.several),
        strengths=STRENGTHS,
        seed=request.seed,
        sparse=True,
    )

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        scores = fitted.scores(features([question_text(given) for given in inputs]))
        return [task.from_scores(row) for row in scores.tolist()]

    what = f"logistic regression on TF-IDF of {features.matrix.shape[1]} words and pieces of words"
    return Fitted("linear", Facts(what, notes=fitted.notes), predict)
