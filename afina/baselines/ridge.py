"""Ridge regression on TF-IDF of words and of pieces of words: no neural network at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afina.baselines.features import TfIdf
from afina.baselines.least_squares import fit
from afina.baselines.request import Baseline, Facts, Fitted, Request, question_text
from afina.tasks import Regress
from afina.tasks.regress import plain
from afina.types import Answer, Input

PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)


def build(request: Request) -> Baseline:
    """Words, pairs of words, and 2 to 4 characters; the penalty is chosen on training rows."""
    request.of(Regress, "ridge", "gives numbers")
    features = TfIdf(request.texts(), words=True, characters=(2, 4))
    model, told = fit(
        features.matrix, np.array(request.numbers()), penalties=PENALTIES, seed=request.seed
    )

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        found = model(features([question_text(given) for given in inputs])).tolist()
        return [Answer(text=plain(number), number=number) for number in found]

    what = f"ridge regression on TF-IDF of {features.matrix.shape[1]} words and pieces of words"
    return Fitted("ridge", Facts(what, notes=(told,)), predict)
