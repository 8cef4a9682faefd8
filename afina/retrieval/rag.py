"""Retrieval-augmented generation (Lewis et al. 2020): a Predictor that is shown what it needs.

Puts passages into the question and lets another predictor answer; knows nothing of who that is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from afina.errors import DataError
from afina.retrieval.index import Hit, Index
from afina.types import Answer, ChatExample, Example, Input, Likelihood

PROMPT = "{sources}\n\n{question}"
"""What the question becomes where nothing else is asked."""
_PLACE = re.compile(r"\{(sources|question)\}")


class Answers(Protocol):
    """What answers behind the passages: a prompted base, a tuned model."""

    def predict(self, inputs: Sequence[Input]) -> list[Answer]: ...


@dataclass(frozen=True, slots=True)
class Sourced:
    """A question with its passages. ``dropped``: passages found that did not fit the context."""

    given: Input
    hits: tuple[Hit, ...]
    dropped: int

    @property
    def sources(self) -> tuple[str, ...]:
        """The documents of the passages, best first, each once."""
        return tuple(dict.fromkeys(hit.passage.document for hit in self.hits))


@dataclass
class Figures:
    """What retrieval did so far: sums over all questions. ``tokens`` are those that it added,
    ``shortened`` the questions whose end alone was searched for, being too long to be embedded."""

    questions: int = 0
    passages: int = 0
    dropped: int = 0
    without: int = 0
    tokens: int = 0
    shortened: int = 0
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Totals, and means for a question."""
        each = max(1, self.questions)
        return {
            "questions": self.questions,
            "passages": self.passages,
            "dropped": self.dropped,
            "without_passages": self.without,
            "questions_shortened": self.shortened,
            "tokens_added": self.tokens / each,
            "search_seconds": self.seconds / each,
        }


class Rag:
    """A Predictor over an index and another predictor.

    ``count_tokens`` gives the tokens of an input as the answerer would see it, ``room`` the most
    it takes in a prompt. Passages that do not fit are dropped, best kept first, and counted in
    ``figures``. ``prompt`` holds ``{sources}`` and ``{question}``.
    """

    def __init__(
        self,
        index: Index,
        answerer: Answers,
        *,
        count_tokens: Callable[[Input], int],
        room: int,
        name: str = "rag",
        passages: int = 3,
        prompt: str = PROMPT,
    ) -> None:
        self.index = index
        self.answerer = answerer
        self.name = name
        self.passages = passages
        self.prompt = prompt
        self.room = room
        self.figures = Figures()
        self._count_tokens = count_tokens
        self.negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
        if isinstance(answerer, Likelihood):
            behind = answerer.negative_log_likelihood
            self.negative_log_likelihood = lambda examples: behind(
                [self.example(example) for example in examples]
            )

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order, with the names of its sources."""
        asked = self.with_sources(inputs)
        answers = self.answerer.predict([one.given for one in asked])
        return [
            replace(answer, sources=one.sources, passages=tuple(h.passage.text for h in one.hits))
            for answer, one in zip(answers, asked, strict=True)
        ]

    def with_sources(self, inputs: Sequence[Input], room: int | None = None) -> list[Sourced]:
        """Each input with what was found for it put into its last question.

        ``room``: another limit for the prompt; the smaller of the two holds.
        """
        most = self.room if room is None else min(self.room, room)
        started, shortened = time.perf_counter(), self.index.shortened
        found = self.index.search([given.text for given in inputs], self.passages)
        seconds = time.perf_counter() - started
        self.figures.shortened += self.index.shortened - shortened
        sourced = [
            self._sourced(given, hits, most) for given, hits in zip(inputs, found, strict=True)
        ]
        self.figures.seconds += seconds
        return sourced

    def example(self, example: Example) -> Example:
        """A training row with the passages of its last question, as they will be shown.

        Raises DataError for a row that is no conversation.
        """
        if not isinstance(example, ChatExample):
            raise DataError(
                "passages are shown to a model that writes text, and this row has labels",
                where=example.where,
                do="leave retrieval out of this recipe, or set task: generate",
            )
        asked = self.with_sources([Input(example.messages[:-1], example.tools)])[0]
        return replace(example, messages=(*asked.given.messages, example.messages[-1]))

    def _sourced(self, given: Input, hits: Sequence[Hit], room: int) -> Sourced:
        plain = self._count_tokens(given)
        kept: tuple[Hit, ...] = ()
        best, tokens = given, plain
        for hit in hits:
            tried = self._shown(given, (*kept, hit))
            needed = self._count_tokens(tried)
            if needed <= room:
                kept, best, tokens = (*kept, hit), tried, needed
        dropped = len(hits) - len(kept)
        self.figures.questions += 1
        self.figures.passages += len(kept)
        self.figures.dropped += dropped
        self.figures.without += not kept
        self.figures.tokens += tokens - plain
        return Sourced(best, kept, dropped)

    def _shown(self, given: Input, hits: Sequence[Hit]) -> Input:
        sources = "\n\n".join(f"[{hit.passage.document}]\n{hit.passage.text}" for hit in hits)
        places = [i for i, message in enumerate(given.messages) if message.role == "user"]
        if not places:
            return given
        last = places[-1]
        values = {"sources": sources, "question": given.messages[last].content}
        content = _PLACE.sub(lambda match: values[match[1]], self.prompt)
        turn = replace(given.messages[last], content=content)
        return Input((*given.messages[:last], turn, *given.messages[last + 1 :]), given.tools)
