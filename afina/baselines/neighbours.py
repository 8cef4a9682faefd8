"""What the people chose whose history looks most like the one that asks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np

from afina.baselines.features import TfIdf
from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Matched
from afina.tasks.matched import best
from afina.types import Answer, Input, PairExample

NEIGHBOURS = 50


def build(request: Request) -> Baseline:
    """Each of the 50 most similar training rows, by the cosine of TF-IDF of words and their pieces,
    gives its cosine to its item."""
    request.of(Matched, "neighbours", "ranks texts")
    features = TfIdf(request.texts(), words=True, characters=(2, 5))
    items = [cast(PairExample, example).positive for example in request.train]

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        rows = features([given.text for given in inputs])
        found: list[Answer] = []
        for place, given in enumerate(inputs):
            alike = (rows[place : place + 1] @ features.matrix.T).toarray()[0]
            votes: dict[str, float] = {}
            for row in np.argsort(-alike, kind="stable")[:NEIGHBOURS]:
                votes[items[row]] = votes.get(items[row], 0.0) + float(alike[row])
            scores = [votes.get(text, 0.0) for text in given.candidates]
            found.append(best(given.candidates, scores))
        return found

    what = f"the items of the {NEIGHBOURS} most similar of {len(items)} training rows"
    return Fitted("neighbours", Facts(what), predict)
