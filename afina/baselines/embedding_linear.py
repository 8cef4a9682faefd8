"""Logistic regression on frozen vectors of the recipe's base: what tuning has to add to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afina.baselines.logistic import fit, targets
from afina.baselines.request import Baseline, Facts, Fitted, Request, question_text
from afina.types import Answer, Input

STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 1.0)
"""For standardised vectors of a few hundred numbers."""


def build(request: Request) -> Baseline:
    """Vectors pooled as the base was made for (else their mean), brought to length 1, each number
    standardised."""
    from afina.models.embed import Embedder

    task = request.classify("embedding_linear")
    base = request.the_base("embedding_linear")
    embedder = Embedder.open(base, **request.loading())
    vectors = embedder.vectors(request.texts(), normalised=True, cache=request.cache)
    vectors = vectors.astype(np.float64)
    middle, spread = vectors.mean(axis=0), vectors.std(axis=0)
    spread[spread == 0] = 1.0
    fitted = fit(
        (vectors - middle) / spread,
        targets(task, request.labels()),
        several=bool(task.several),
        strengths=STRENGTHS,
        seed=request.seed,
        sparse=False,
    )

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        texts = [question_text(given) for given in inputs]
        found = embedder.vectors(texts, normalised=True, cache=request.cache)
        scores = fitted.scores((found - middle) / spread).tolist()
        return [
            task.from_scores(row, len(embedder.ids(text)))
            for row, text in zip(scores, texts, strict=True)
        ]

    what = f"logistic regression on frozen vectors [{vectors.shape[1]}] of {base.name}"
    return Fitted("embedding_linear", Facts(what, notes=fitted.notes), predict)
