"""The untuned base, shown for each question the training rows most like it (Liu et al. 2022).

"What Makes Good In-Context Examples for GPT-3?", arXiv 2101.06804.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from afina.baselines.features import TfIdf
from afina.baselines.prompting import as_shown, first_that_fits, load_decoder
from afina.baselines.request import Baseline, Facts, Fitted, Request, question_text
from afina.types import Answer, ChatExample, Example, Input, Message, PreferenceExample

if TYPE_CHECKING:
    from afina.models.prompted import PromptedBase

ROWS_AT_ONCE = 256


def build(request: Request) -> Baseline:
    """``evaluate.few_shot`` rows by the cosine of TF-IDF of 2 to 5 characters, the most similar
    last; fewer where they do not fit, which is counted."""
    name = "few_shot_nearest"
    plain = first_that_fits(request, load_decoder(request, name), name, [], 0)
    return NearestShots(request, plain.predictor, request.settings.few_shot)


class NearestShots(Fitted):
    """A prompted base whose examples change with the question; a Likelihood where it writes text.

    ``left_out``: examples that did not fit the context, over all questions.
    """

    def __init__(self, request: Request, behind: PromptedBase, count: int) -> None:
        what = (
            f"{behind.model.base.name} untuned, shown the {count} most similar of "
            f"{len(request.train)} training rows"
        )
        facts = Facts(what, behind.head_tokens, count, behind.instruction)
        super().__init__(behind.name, facts, self._answers)
        self.behind = behind
        self.left_out = 0
        self._count = min(count, len(request.train))
        self._features = TfIdf(request.texts(), words=False, characters=(2, 5))
        self._shots = [as_shown(request.task, example) for example in request.train]
        self._room = behind.model.base.context_length - behind.answer_tokens
        self.negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
        if behind.classify is None:
            self.negative_log_likelihood = self._likelihood

    def _answers(self, inputs: Sequence[Input]) -> list[Answer]:
        return self.behind.predict(self.shown(inputs))

    def shown(self, inputs: Sequence[Input]) -> list[Input]:
        """Each input with its examples put between the system message and the conversation."""
        rows = self._features([question_text(given) for given in inputs])
        found: list[Input] = []
        for start in range(0, rows.shape[0], ROWS_AT_ONCE):
            # Rows have length 1, so that the product is the cosine.
            alike = (rows[start : start + ROWS_AT_ONCE] @ self._features.matrix.T).toarray()
            order = np.argsort(-np.asarray(alike), axis=1, kind="stable")[:, : self._count]
            for given, best in zip(inputs[start : start + ROWS_AT_ONCE], order, strict=True):
                found.append(self._with(given, [int(i) for i in best]))
        return found

    def _with(self, given: Input, best: Sequence[int]) -> Input:
        """With as many of the most similar rows as fit."""
        for count in range(len(best), 0, -1):
            turns = [turn for i in reversed(best[:count]) for turn in self._shots[i]]
            tried = _inserted(given, turns)
            if len(self.behind.prompt(tried)) <= self._room:
                self.left_out += len(best) - count
                return tried
        self.left_out += len(best)
        return given

    def _likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        rows = []
        for example in examples:
            if isinstance(example, PreferenceExample):
                example = example.better
            assert isinstance(example, ChatExample)
            (asked,) = self.shown([Input(example.messages[:-1], example.tools)])
            messages = (*asked.messages, example.messages[-1])
            rows.append(replace(example, messages=messages))
        return self.behind.negative_log_likelihood(rows)


def _inserted(given: Input, turns: Sequence[Message]) -> Input:
    unweighted = tuple(replace(t, weight=0) if t.role == "assistant" else t for t in turns)
    first = 1 if given.messages and given.messages[0].role == "system" else 0
    turns = (*given.messages[:first], *unweighted, *given.messages[first:])
    return replace(given, messages=turns)
