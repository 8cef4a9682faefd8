"""Asking one candidate: its answers, its likelihoods, what it took, or why there is nothing.

Where no score needs answers, none are written: their likelihoods take the time that is told.

A candidate sees questions only, never an answer (except through ``Likelihood``, which asks how
probable the right answers are, and is asked last).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from afina.errors import AfinaError, Interrupted, ModelError
from afina.evaluate.latency import timed
from afina.evaluate.preference import answered
from afina.evaluate.statement import Statement
from afina.tasks import Generate, calls
from afina.types import Answer, Example, Input, Likelihood, Predictor, Task

Say = Callable[[str], None]


@runtime_checkable
class Opens(Protocol):
    """A candidate that is loaded when its turn comes; ``predictor`` loads it."""

    @property
    def predictor(self) -> Any: ...


@runtime_checkable
class Weighs(Protocol):
    """A candidate that knows its memory and its size on disk, in bytes; None where it does not."""

    def weight(self) -> dict[str, float | None]: ...


@runtime_checkable
class Closes(Protocol):
    """A candidate that gives its memory back after its turn."""

    def close(self) -> None: ...


@dataclass
class Measured:
    """What one candidate said, before any score: answers and likelihoods, or why there are none."""

    name: str
    answers: list[Answer] = field(default_factory=list)
    likelihoods: list[tuple[float, int]] | None = None
    preferences: list[tuple[float, ...]] | None = None
    """Of each row, the negative log-probabilities of its better and its worse answer, or its one."""
    no_likelihood: Statement | None = None
    failure: dict[str, Any] | None = None
    expected: list[Answer] | str = ""
    """Answers to the questions of the file of expectations, or why there are none."""
    costs: dict[str, Any] = field(default_factory=dict)
    further: dict[str, list[Answer]] = field(default_factory=dict)
    """Answers to the further questions, by their name."""


@dataclass(frozen=True)
class Further:
    """Questions beside those of the test: what they are, the rows they are of, and the inputs.
    ``strange``: how many more were given that are of no row."""

    name: str
    rows: tuple[int, ...]
    inputs: tuple[Input, ...]
    strange: int = 0


class WrongCountError(ModelError):
    """A predictor did not give one answer for each question."""


def measure(
    candidate: Predictor,
    test: Sequence[Example],
    task: Task,
    *,
    batch_size: int | None,
    sources: frozenset[str],
    required: bool,
    say: Say,
    expected: Sequence[Input] = (),
    further: Sequence[Further] = (),
    latency_rows: int = 0,
) -> Measured:
    """Open a candidate, ask it everything, close it. What is required raises its own error.

    ``expected``: the questions of the file of expectations. ``further``: what it is asked beside the
    test; it counts in no cost. ``latency_rows``: questions that it is asked again one at a time.
    """
    found = Measured(candidate.name)
    try:
        _ask(candidate, test, task, batch_size, sources, found, (expected, required))
        if latency_rows and "answers" in sources:
            opened = candidate.predictor if isinstance(candidate, Opens) else candidate
            alone = [task.question(example) for example in test[:latency_rows]]
            found.costs |= timed(opened, alone).costs()
        if isinstance(candidate, Weighs):
            found.costs |= candidate.weight()
        for more in further:
            say(f"asking {candidate.name} {len(more.inputs)} further questions: {more.name}")
            found.further[more.name] = _answers(candidate, more.inputs, task, batch_size)
    except Interrupted:
        raise
    except AfinaError as error:
        if required or isinstance(error, WrongCountError):
            raise
        failure: dict[str, Any] = dict(error.as_json()["error"])
        if error.told is not None:
            code, values = error.told
            failure["told"] = {"code": code, "values": dict(values)}
        found = Measured(candidate.name, failure=failure)
        say(f"{candidate.name} could not be measured: {error.what}")
    finally:
        if isinstance(candidate, Closes):
            candidate.close()
    if found.failure is None:
        say(f"{candidate.name} answered {len(test)} questions in {found.costs['seconds']:.1f} s")
    return found


def _ask(
    candidate: Predictor,
    test: Sequence[Example],
    task: Task,
    batch_size: int | None,
    sources: frozenset[str],
    found: Measured,
    expected: tuple[Sequence[Input], bool],
) -> None:
    started = time.perf_counter()
    predictor = candidate.predictor if isinstance(candidate, Opens) else candidate
    opened = time.perf_counter()
    asked = "answers" in sources
    if asked:
        questions = [task.question(example) for example in test]
        found.answers = _answers(candidate, questions, task, batch_size)
    else:
        _ask_probabilities(predictor, test, sources, found)
        found.answers = [Answer(text="")] * len(test)
    seconds = time.perf_counter() - opened
    rows = len(test)
    found.costs = {
        "open_seconds": opened - started,
        "seconds": seconds,
        "seconds_per_request": seconds / rows,
        "requests_per_second": rows / max(seconds, 1e-9),
        "prompt_tokens": sum(a.prompt_tokens for a in found.answers) / rows,
        "answer_tokens": sum(a.answer_tokens for a in found.answers) / rows,
        "cut_off": float(sum(a.finish == "length" for a in found.answers)),
    }
    if asked:
        _ask_probabilities(predictor, test, sources, found)
    _ask_expected(predictor, task, *expected, found)


def _ask_expected(
    predictor: Any, task: Task, expected: Sequence[Input], required: bool, found: Measured
) -> None:
    """A baseline that cannot take these questions is still measured on the test."""
    try:
        answers = predictor.predict(expected) if expected else []
    except Interrupted:
        raise
    except AfinaError as error:
        if required:
            raise
        found.expected = error.what
        return
    _count(found.name, len(answers), len(expected))
    found.expected = as_gold(task, answers)


def _answers(
    candidate: Predictor, questions: Sequence[Input], task: Task, batch_size: int | None
) -> list[Answer]:
    """The answers in the batches that are wished, one for each question."""
    found: list[Answer] = []
    size = batch_size or len(questions)
    for start in range(0, len(questions), size):
        part = questions[start : start + size]
        answers = candidate.predict(part)
        _count(candidate.name, len(answers), len(part))
        found.extend(as_gold(task, answers))
    return found


def as_gold(task: Task, answers: Sequence[Answer]) -> list[Answer]:
    """Answers in the form in which the task gives the right ones (calls of tools as values)."""
    if not isinstance(task, Generate):
        return list(answers)
    return [replace(answer, text=calls.of_answer(answer.text)) for answer in answers]


def _ask_probabilities(
    predictor: Any, test: Sequence[Example], sources: frozenset[str], found: Measured
) -> None:
    if "likelihood" in sources:
        _ask_likelihood(predictor, test, found)
    if sources & {"preference", "gain"}:
        _ask_preferences(predictor, test, found)


def _ask_likelihood(predictor: Any, test: Sequence[Example], found: Measured) -> None:
    if not isinstance(predictor, Likelihood):
        found.no_likelihood = Statement("no_probabilities")
        return
    values = predictor.negative_log_likelihood(test)
    _count(found.name, len(values), len(test))
    wrong = [e.where for e, (nats, _) in zip(test, values, strict=True) if not math.isfinite(nats)]
    if wrong or not sum(tokens for _, tokens in values):
        found.no_likelihood = (
            Statement("not_finite", {"answers": len(wrong), "first": wrong[0]})
            if wrong
            else Statement("no_tokens_counted")
        )
        return
    found.likelihoods = values


def _ask_preferences(predictor: Any, test: Sequence[Example], found: Measured) -> None:
    if not isinstance(predictor, Likelihood):
        found.no_likelihood = Statement("no_probabilities")
        return
    rows = [answered(example) for example in test]
    columns: list[list[float]] = []
    for asked in zip(*rows, strict=True):
        values = predictor.negative_log_likelihood(asked)
        _count(found.name, len(values), len(test))
        columns.append([nats for nats, _ in values])
    each = list(zip(*columns, strict=True))
    wrong = [
        e.where for e, nats in zip(test, each, strict=True) if not all(map(math.isfinite, nats))
    ]
    if wrong:
        found.no_likelihood = Statement("not_finite", {"answers": len(wrong), "first": wrong[0]})
        return
    found.preferences = each


def _count(name: str, given: int, asked: int) -> None:
    if given != asked:
        raise WrongCountError(
            f"{name} gave {given} answers to {asked} questions",
            where=name,
            do="a predictor gives one answer for each input, in order",
        )
