"""A linear model of single words: their letters, shape and neighbours; no neural network at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.errors import DataError
from afina.tasks import Tag
from afina.tasks.tag import said
from afina.tasks.words import tags_of, words
from afina.types import Answer, Input, TaggedExample

COLUMNS = 2**20
"""Places of the hashed features."""
STRENGTH = 1e-6
ROUNDS = 12
NEVER = -60.0
"""Score of a tag that no training word has."""


def build(request: Request) -> Baseline:
    """Logistic regression on each word, by averaged stochastic gradient descent; the likeliest run of
    tags that the scheme allows is the answer."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.linear_model import SGDClassifier

    task = request.of(Tag, "word_linear", "labels words")
    number = {name: i for i, name in enumerate(task.names)}
    hasher = FeatureHasher(COLUMNS, input_type="string", alternate_sign=False)
    features: list[list[str]] = []
    tags: list[int] = []
    for example in request.train:
        row = cast(TaggedExample, example)
        places = words(row.text)
        features += _features([row.text[s:e] for s, e in places])
        tags += [number[tag] for tag in tags_of(places, row.spans, task.scheme)]
    if len(set(tags)) < 2:
        raise DataError(
            "all training words have the same tag: nothing to tell apart",
            where="data.train",
            do="leave this baseline out, or add rows with labelled stretches",
        )
    model = SGDClassifier(
        loss="log_loss",
        alpha=STRENGTH,
        max_iter=ROUNDS,
        tol=None,
        average=True,
        random_state=request.seed,
    )
    model.fit(hasher.transform(features), tags)

    def scores(text: str, places: Sequence[tuple[int, int]]) -> Any:
        found = model.predict_proba(hasher.transform(_features([text[s:e] for s, e in places])))
        whole = np.full((len(places), len(number)), NEVER)
        whole[:, model.classes_] = np.log(np.maximum(found, 1e-12))
        return whole.tolist()

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        answers = []
        for given in inputs:
            places = words(given.text)
            spans = task.decode(given.text, places, scores(given.text, places)) if places else ()
            answers.append(said(spans))
        return answers

    what = f"logistic regression on the letters, shape and neighbours of {len(tags):,} words"
    return Fitted("word_linear", Facts(what), predict)


def _features(cut: Sequence[str]) -> list[list[str]]:
    """What is seen of each word: itself, its ends, its shape, and two words on either side."""
    return [list(_of_word(cut, i)) for i in range(len(cut))]


def _of_word(cut: Sequence[str], i: int) -> Iterator[str]:
    yield "bias"
    word = cut[i].casefold()
    for length in (1, 2, 3, 4):
        if len(word) >= length:
            yield f"begins {word[:length]}"
            yield f"ends {word[-length:]}"
    for step in (-2, -1, 0, 1, 2):
        near = cut[i + step] if 0 <= i + step < len(cut) else ""
        yield f"{step} {near.casefold()}"
        yield f"{step} shape {_shape(near)}"
    shapes = [_shape(cut[j]) if 0 <= j < len(cut) else "" for j in (i - 1, i, i + 1)]
    yield "shapes " + " ".join(shapes)
    yield f"pair {cut[i - 1].casefold() if i else ''} {word}"


def _shape(word: str) -> str:
    """Capitals, small letters and digits, runs of one kind once: ``Madrid2`` is ``Aa0``."""
    kinds = [
        "A" if c.isupper() else "a" if c.isalpha() else "0" if c.isdigit() else c for c in word
    ]
    return "".join(c for i, c in enumerate(kinds) if not i or c != kinds[i - 1])
