"""Ridge regression on frozen vectors of the recipe's base: what tuning has to add to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from afina.baselines.least_squares import fit
from afina.baselines.request import Baseline, Facts, Fitted, Request, question_text
from afina.tasks import Regress
from afina.tasks.regress import plain
from afina.types import Answer, Input

PENALTIES = (1.0, 10.0, 100.0, 1_000.0, 10_000.0)
"""For standardised vectors of a few hundred numbers."""


def build(request: Request) -> Baseline:
    """Vectors pooled as the base was made for (else their mean), brought to length 1, each number
    standardised."""
    from afina.models.embed import Embedder

    request.of(Regress, "embedding_ridge", "gives numbers")
    base = request.the_base("embedding_ridge")
    embedder = Embedder.open(base, **request.loading())
    vectors = embedder.vectors(request.texts(), normalised=True, cache=request.cache)
    vectors = vectors.astype(np.float64)
    middle, spread = vectors.mean(axis=0), vectors.std(axis=0)
    spread[spread == 0] = 1.0
    model, told = fit(
        (vectors - middle) / spread,
        np.array(request.numbers()),
        penalties=PENALTIES,
        seed=request.seed,
    )

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        texts = [question_text(given) for given in inputs]
        found = embedder.vectors(texts, normalised=True, cache=request.cache)
        numbers = model((found - middle) / spread).tolist()
        return [
            Answer(text=plain(number), number=number, prompt_tokens=len(embedder.ids(text)))
            for number, text in zip(numbers, texts, strict=True)
        ]

    what = f"ridge regression on frozen vectors [{vectors.shape[1]}] of {base.name}"
    return Fitted("embedding_ridge", Facts(what, notes=(told,)), predict)
