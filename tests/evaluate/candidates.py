"""Predictors with known answers, and rows for them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random

from afina.tasks import Classify, Generate
from afina.types import Answer, ChatExample, Example, Input, LabelledExample, Message

LABELS = ("bill", "card", "loan")
CLASSIFY = Classify(labels=LABELS, several=False)
TAGS = Classify(labels=LABELS, several=True)
JSON = Generate(answer="json")
TEXT = Generate(answer="text")


class Fixed:
    """Answers by a function of the question; keeps what it was shown."""

    def __init__(self, name: str, answer: Callable[[str], Answer]) -> None:
        self.name = name
        self._answer = answer
        self.seen: list[Input] = []
        self.calls = 0

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        self.calls += 1
        self.seen += inputs
        return [self._answer(given.text) for given in inputs]


class FixedLikelihood(Fixed):
    """Also gives each right answer the same nats a token over ``tokens`` tokens."""

    def __init__(
        self, name: str, answer: Callable[[str], Answer], nats: float, tokens: int = 10
    ) -> None:
        super().__init__(name, answer)
        self._nats, self._tokens = nats, tokens

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        return [(self._nats * self._tokens, self._tokens) for _ in examples]


def labelled(labels: Sequence[str | tuple[str, ...]]) -> list[LabelledExample]:
    """One row a label, with a text of its own."""
    return [
        LabelledExample(
            id=str(i),
            where=f"rows.csv: row {i + 1}",
            text=f"text {i}",
            labels=(label,) if isinstance(label, str) else label,
        )
        for i, label in enumerate(labels)
    ]


def chats(answers: Sequence[str]) -> list[ChatExample]:
    """One row an answer, with a question of its own."""
    return [
        ChatExample(
            id=str(i),
            where=f"rows.jsonl: row {i + 1}",
            messages=(Message("user", f"question {i}"), Message("assistant", answer)),
        )
        for i, answer in enumerate(answers)
    ]


def number(question: str) -> int:
    """The row that a question belongs to."""
    return int(question.rsplit(" ", 1)[1])


def labels_of(name: str, given: Sequence[str], **facts: int) -> Fixed:
    """A predictor that gives these labels, row by row."""

    def answer(question: str) -> Answer:
        label = given[number(question)]
        return Answer(text=label, labels=(label,) if label else (), **facts)  # type: ignore[arg-type]

    return Fixed(name, answer)


def texts_of(name: str, given: Sequence[str]) -> Fixed:
    """A predictor that gives these texts, row by row."""
    return Fixed(name, lambda question: Answer(text=given[number(question)]))


def noisy(gold: Sequence[str], right: float, seed: int) -> list[str]:
    """The right labels with that chance, else any label."""
    random = Random(seed)
    return [g if random.random() < right else random.choice(LABELS) for g in gold]


def intents(count: int) -> list[str]:
    """JSON answers of a few shapes."""
    return [json.dumps({"intent": LABELS[i % 3], "value": i % 5}) for i in range(count)]
