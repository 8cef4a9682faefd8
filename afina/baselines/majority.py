"""The most frequent answer of the training rows, whatever is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Classify
from afina.types import Answer, Input


def build(request: Request) -> Baseline:
    """With labels, the probabilities are their shares of the training rows. Ties: first by name."""
    task = request.task
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
