"""The most frequent answer of the training rows, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import cast

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Classify, Tag
from afina.tasks.tag import said
from afina.tasks.words import chunks, tags_of, words
from afina.types import Answer, Input, Span, TaggedExample


def build(request: Request) -> Baseline:
    """With labels, the probabilities are their shares of the training rows. Ties: first by name."""
    task = request.task
    if isinstance(task, Tag):
        return _of_words(request, task)
    golds = [task.gold(example) for example in request.train]
    if isinstance(task, Classify):
        counts = Counter(tuple(sorted(gold.labels)) for gold in golds)
        labels, number = max(sorted(counts.items()), key=lambda item: item[1])
        single = Counter(label for gold in golds for label in gold.labels)
        shares = {label: single[label] / len(golds) for label in task.known_labels}
        answer = Answer(text=" | ".join(labels), labels=labels, probabilities=shares)
    else:
        texts = Counter(gold.text for gold in golds)
        text, number = max(sorted(texts.items()), key=lambda item: item[1])
        answer = Answer(text=text)
    share = number / len(golds)

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [answer] * len(inputs)

    what = f"always the most frequent answer ({share:.1%} of the training rows)"
    return Fitted("majority", Facts(what), predict)


def _of_words(request: Request, task: Tag) -> Baseline:
    """Every word has the most frequent tag; where that is outside, nothing is found."""
    counts: Counter[str] = Counter()
    for example in request.train:
        row = cast(TaggedExample, example)
        counts.update(tags_of(words(row.text), row.spans, task.scheme))
    tag, number = max(sorted(counts.items()), key=lambda item: item[1])

    def predict(inputs: Sequence[Input]) -> list[Answer]:
        return [said(_spans(given.text, tag)) for given in inputs]

    what = f"every word is {tag}, as {number / counts.total():.1%} of the training words"
    return Fitted("majority", Facts(what), predict)


def _spans(text: str, tag: str) -> list[Span]:
    places = words(text)
    found = chunks([tag] * len(places))
    cut = [(places[first][0], places[last - 1][1], label) for first, last, label in found]
    return [Span(start, end, label, text[start:end]) for start, end, label in cut]
