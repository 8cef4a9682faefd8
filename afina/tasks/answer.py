"""Extractive question answering: find in a text the stretch that answers a question."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, cast

from pydantic import Field

from afina.errors import DataError, RequestError
from afina.types import (
    Answer,
    Encoded,
    Example,
    Head,
    Input,
    Message,
    QuestionExample,
    Renderer,
    Span,
    Targets,
    Task,
    Window,
)

if TYPE_CHECKING:
    import numpy as np

PLACES_SHOWN = 20
"""Rows that a remark names; the counts cover all."""
_ASKS_IN_SPANISH = re.compile(
    r"¿|\b(?:qué|quién|quiénes|cuál|cuáles|cuándo|cuánto|cuánta|cuántos|cuántas|cómo|dónde)\b", re.I
)
_NOTHING = (0, 0)
"""Targets of a window without the answer: the first token, as BERT has it for SQuAD 2.0."""


class FindAnswer(Task):
    """Find in a text the stretch that answers a question, or find that there is none.

    Two scores a token, for the first and the last of the stretch (Devlin et al. 2019, BERT). A text that
    is too long for one window is read in several; one without the answer learns that it has none.
    """

    name: Literal["answer"] = "answer"
    window: int = Field(384, ge=16, le=131_072)
    """Tokens of question and text together that are read at once."""
    overlap: int = Field(128, ge=0)
    """Tokens of the text that a window shares with the one before (elsewhere called stride)."""
    max_answer: int = Field(30, ge=1)
    """Longest answer in tokens."""
    unanswerable: bool | None = None
    """Whether some texts do not answer their question; found in the data when left out."""
    no_answer: float | None = None
    """By how much (in logits) a stretch has to outscore "no answer" to be given. Left out: chosen for
    the highest F1 on the validation rows after training, 0 where none of them is without an answer."""
    language: Literal["en", "es"] | None = None
    """Whose articles do not count when answers are compared; found in the questions when left out."""
    accepts: ClassVar[tuple[type[Example], ...]] = (QuestionExample,)
    head: ClassVar[Head] = "tags"
    serves: ClassVar[tuple[str, ...]] = ("answer",)

    @property
    def targets(self) -> Targets:
        return "span"

    @property
    def outputs(self) -> int:
        return 2

    def resolve(self, examples: Sequence[Example]) -> FindAnswer:
        rows = [cast(QuestionExample, e) for e in examples]
        empty = next((r for r in rows if not r.answers), None)
        if all(not r.answers for r in rows):
            raise DataError(
                "no text answers its question: nothing to learn",
                where="data.train",
                do="add rows with an answer, or check data.columns.answers",
            )
        if empty is not None and self.unanswerable is False:
            raise DataError(
                "the text does not answer the question, and task.unanswerable is false",
                where=empty.where,
                do="mend or remove the row, or leave task.unanswerable out",
            )
        spanish = sum(bool(_ASKS_IN_SPANISH.search(r.question)) for r in rows)
        return self.model_copy(
            update={
                "unanswerable": empty is not None or bool(self.unanswerable),
                "language": self.language or ("es" if 2 * spanish >= len(rows) else "en"),
            }
        )

    def question(self, example: Example) -> Input:
        row = cast(QuestionExample, example)
        return Input((Message("user", row.question),), context=row.context)

    def gold(self, example: Example) -> Answer:
        return _said(chosen(cast(QuestionExample, example)))

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """The first window, and the others beside it; each is a sequence of its own in the loss."""
        row = cast(QuestionExample, example)
        answer = chosen(row)
        parts = [
            Encoded(row.id, window.ids, _targets(window, answer))
            for window in self.windows(self.question(row), renderer)
        ]
        return replace(parts[0], others=tuple(parts[1:]))

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        """The tokens of all windows."""
        return tuple(i for window in self.windows(given, renderer) for i in window.ids)

    def length(self, example: Example, renderer: Renderer) -> int:
        return max(len(w.ids) for w in self.windows(self.question(example), renderer))

    def windows(self, given: Input, renderer: Renderer) -> tuple[Window, ...]:
        if given.context is None:
            raise RequestError(
                "the model finds answers in a text, and none came with the question",
                where="context",
                do="give a question and a context",
            )
        return renderer.windows(given.text, given.context, self.window, self.overlap)

    def from_windows(
        self,
        given: Input,
        windows: Sequence[Window],
        scores: Sequence[Sequence[Sequence[float]]],
    ) -> Answer:
        """The best stretch of all windows; none if "no answer", in the window that is least sure of it,
        outscores it."""
        import numpy as np

        context = given.context or ""
        tokens = sum(len(w.ids) for w in windows)
        nothing, best, at = math.inf, -math.inf, None
        every: list[np.ndarray] = []
        for window, own in zip(windows, scores, strict=True):
            table = np.asarray(own, dtype=np.float64)
            nothing = min(nothing, float(table[0].sum()))
            for ahead, sums in enumerate(_stretches(table[1:], self.max_answer)):
                every.append(sums)
                if len(sums) and (top := float(sums.max())) > best:
                    first = 1 + int(sums.argmax())
                    best, at = top, (window.places[first][1], window.places[first + ahead][2])
        if at is None:
            return _said(None, tokens)
        logs = np.concatenate([*every, [nothing]] if self.unanswerable else every)
        score = 1.0 / float(np.exp(logs - best).sum())
        margin = best - nothing
        if self.unanswerable and margin < (self.no_answer or 0.0):
            return _said(None, tokens, margin)
        return _said(Span(*at, "", context[at[0] : at[1]], score), tokens, margin)

    def remarks(self, examples: Sequence[Example], renderer: Renderer) -> tuple[str, ...]:
        """Windows, those without the answer, and answers that tokens or task.max_answer do not fit."""
        windows = nowhere = without = 0
        inexact: list[str] = []
        long: list[str] = []
        for example in examples:
            row = cast(QuestionExample, example)
            answer, holding = chosen(row), 0
            found = self.windows(self.question(row), renderer)
            windows += len(found)
            whole: set[bool] = set()
            for window in found:
                targets = _targets(window, answer)
                if targets == _NOTHING:
                    continue
                holding += 1
                covered = _covered(window, targets)
                whole.add(answer is not None and covered == (answer.start, answer.end))
                if targets[1] - targets[0] >= self.max_answer:
                    long.append(row.where)
            without += len(found) - holding
            nowhere += answer is not None and not holding
            if False in whole:
                inexact.append(row.where)
        said = [
            f"{len(examples):,} rows are read in {windows:,} windows; {without:,} of these are without "
            "the answer and learn that they have none"
        ]
        if nowhere:
            said.append(f"{nowhere:,} answers stand whole in no window: raise task.overlap")
        for places, what in (
            (inexact, "answers begin or end inside a token: the whole token is learned"),
            (list(dict.fromkeys(long)), "answers have more tokens than task.max_answer"),
        ):
            if places:
                more = " …" if len(places) > PLACES_SHOWN else ""
                said.append(f"{len(places):,} {what} ({'; '.join(places[:PLACES_SHOWN])}{more})")
        return tuple(said)

    def stratum(self, example: Example) -> str | None:
        """Whether there is an answer, where there may be none."""
        if not self.unanswerable:
            return None
        return "answer" if cast(QuestionExample, example).answers else "no answer"

    def scorers(self) -> tuple[str, ...]:
        return ("answer_f1", "exact_match", *(("no_answer_recall",) if self.unanswerable else ()))

    def baselines(self) -> tuple[str, ...]:
        return ("sentence", *(("majority",) if self.unanswerable else ()))


def chosen(row: QuestionExample) -> Span | None:
    """The stretch that most people marked, the first of equals; None where the text has no answer."""
    if not row.answers:
        return None
    counts = Counter((s.start, s.end) for s in row.answers)
    most = max(counts.values())
    return next(s for s in row.answers if counts[s.start, s.end] == most)


def _stretches(scores: np.ndarray, longest: int) -> list[np.ndarray]:
    """For scores [places, 2]: sums of first and last for stretches of 1, 2, … places."""
    count = len(scores)
    return [scores[: count - ahead, 0] + scores[ahead:, 1] for ahead in range(min(longest, count))]


def _targets(window: Window, answer: Span | None) -> tuple[int, int]:
    """First and last token of an answer that stands whole in a window; the first token twice if not."""
    places = window.places[1:]
    if answer is None or not places:
        return _NOTHING
    if answer.start < places[0][1] or places[-1][2] < answer.end:
        return _NOTHING
    inside = [token for token, start, end in places if start < answer.end and answer.start < end]
    return (inside[0], inside[-1]) if inside else _NOTHING


def _covered(window: Window, targets: tuple[int, int]) -> tuple[int, int]:
    """The characters from the first to the last of these tokens."""
    begins = {token: start for token, start, _ in window.places}
    ends = {token: end for token, _, end in window.places}
    return begins[targets[0]], ends[targets[1]]


def _said(span: Span | None, prompt_tokens: int = 0, margin: float | None = None) -> Answer:
    found = () if span is None else (span,)
    text = "" if span is None else span.text
    return Answer(text=text, spans=found, prompt_tokens=prompt_tokens, margin=margin)
