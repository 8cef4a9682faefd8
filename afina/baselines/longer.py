"""The longer answer is the better one: what a reward model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.types import Answer, ChatExample, Example, Input


class Longer(Fitted):
    """Scores an answer by its characters."""

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        """The more characters the last turn has, the lower."""
        return [(-float(_length(example)), 1) for example in examples]


def build(request: Request) -> Baseline:
    """Needs nothing; the rows of the task must be conversations."""

    def answer(inputs: Sequence[Input]) -> list[Answer]:
        return [Answer(text=str(len(given.messages[-1].content))) for given in inputs]

    return Longer("longer", Facts("prefers the answer with more characters"), answer)


def _length(example: Example) -> int:
    assert isinstance(example, ChatExample)
    return len(example.messages[-1].content)
