"""What most people chose, whoever asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Matched
from afina.tasks.matched import best
from afina.types import Answer, Input, PairExample


def build(request: Request) -> Baseline:
    """Items by how often the training rows end in them; what nobody chose comes last."""
    request.of(Matched, "popular", "ranks texts")
    counts = Counter(cast(PairExample, example).positive for example in request.train)

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [
            best(given.candidates, [counts[text] for text in given.candidates]) for given in inputs
        ]

    return Fitted("popular", Facts(f"the most frequent of {len(counts)} items"), predict)
