"""The sentence of the text that has most in common with the question: what a reader has to beat.

Words count the more the fewer texts of the training rows they stand in (Spärck Jones 1972). It always
answers, and with a whole sentence.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import cast

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.evaluate.overlap import words
from afina.tasks import FindAnswer
from afina.types import Answer, Input, QuestionExample, Span

_SENTENCE = re.compile(r"[^.!?…。！？\n]+[.!?…。！？]*|[.!?…。！？]+")


def build(request: Request) -> Baseline:
    """Of equals, the first sentence."""
    request.of(FindAnswer, "sentence", "finds answers in texts")
    contexts = {cast(QuestionExample, example).context for example in request.train}
    seen = Counter(word for context in contexts for word in set(words(context)))
    weights = {word: math.log((1 + len(contexts)) / (0.5 + n)) for word, n in seen.items()}
    unseen = math.log((1 + len(contexts)) / 0.5)

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [_answer(given, weights, unseen) for given in inputs]

    what = f"the sentence nearest to the question by its words, weighed on {len(contexts):,} texts"
    return Fitted("sentence", Facts(what), predict)


def _answer(given: Input, weights: Mapping[str, float], unseen: float) -> Answer:
    context = given.context or ""
    asked = set(words(given.text))
    best, most = Span(0, len(context), "", context), -1.0
    for match in _SENTENCE.finditer(context):
        text = match.group().strip()
        shared = sum(weights.get(word, unseen) for word in asked.intersection(words(text)))
        if text and shared > most:
            start = match.start() + match.group().index(text)
            best, most = Span(start, start + len(text), "", text), shared
    return Answer(text=best.text, spans=(best,))
