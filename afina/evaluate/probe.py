"""The general probe: what a language model knew before it was tuned, and what is left of it.

Questions with one right answer among four, and short texts, English and Spanish, written for this
project (``general/``). Right is a question whose right answer is the most probable of the four; of a
text counts how probable it is. Both models answer the same items, so the change is a paired one. Does
not know who answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any, Protocol, runtime_checkable

from afina.errors import AfinaError, Interrupted, ModelError
from afina.evaluate.asking import Closes, Opens
from afina.evaluate.intervals import interval, resample, total
from afina.evaluate.paired import Comparison, compare
from afina.evaluate.report import Score
from afina.evaluate.scorer import Scorer, mean, statistics
from afina.evaluate.scorers import SCORERS
from afina.evaluate.statement import Statement
from afina.recipe import Evaluate, Forgetting, Goal
from afina.types import ChatExample, Example, Likelihood, Message, TextExample

QUESTIONS_TO_A_TEXT = 3
BEFORE, AFTER = "base", "tuned"
PERPLEXITY = SCORERS["perplexity"]


@dataclass(frozen=True, slots=True)
class Question:
    """One question; ``others`` are the wrong answers beside the right one."""

    id: str
    language: str
    field: str
    question: str
    answer: str
    others: tuple[str, ...]

    @property
    def examples(self) -> tuple[ChatExample, ...]:
        """The question with each of its answers, the right one first."""
        return tuple(
            ChatExample(
                id=self.id,
                where=f"general probe: {self.id}",
                messages=(Message("user", self.question), Message("assistant", answer)),
            )
            for answer in (self.answer, *self.others)
        )


@dataclass(frozen=True, slots=True)
class Probe:
    """The items of one measurement."""

    questions: tuple[Question, ...]
    texts: tuple[TextExample, ...]

    @classmethod
    def of(cls, items: int) -> Probe:
        """The first ``items``, three questions for each text; any beginning of the set has every
        language and field in it alike."""
        questions, texts = _whole()
        asked = round(items * QUESTIONS_TO_A_TEXT / (QUESTIONS_TO_A_TEXT + 1))
        return cls(questions[:asked], texts[: items - asked])

    @property
    def examples(self) -> tuple[Example, ...]:
        """All that is asked, the answers of a question one after the other."""
        return (*(e for q in self.questions for e in q.examples), *self.texts)


@cache
def _whole() -> tuple[tuple[Question, ...], tuple[TextExample, ...]]:
    questions = (Question(**{**row, "others": tuple(row["others"])}) for row in _rows("questions"))
    texts = (
        TextExample(id=row["id"], where=f"general probe: {row['id']}", text=row["text"])
        for row in _rows("texts")
    )
    return tuple(questions), tuple(texts)


def _rows(name: str) -> list[dict[str, Any]]:
    text = (files("afina.evaluate") / "general" / f"{name}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


# ---------------------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True)
class Known:
    """What one model makes of a probe: which questions it has right; nats and tokens of the texts."""

    right: tuple[bool, ...]
    texts: tuple[tuple[float, int], ...]


@runtime_checkable
class ReadsOnly(Protocol):
    """A model that says whether it ``answers`` questions, or reads texts only (a masked one)."""

    answers: bool


def ask(probe: Probe, model: Likelihood) -> Known:
    """Ask a model everything. Raises ModelError for a likelihood that is no number."""
    found = model.negative_log_likelihood(probe.examples)
    asked = zip(probe.examples, found, strict=True)
    # An answer may be impossible, a text that stands there may not.
    wrong = next(
        (e for e, (n, _) in asked if math.isnan(n) or (n == math.inf and e in probe.texts)), None
    )
    if wrong is not None:
        raise ModelError("its likelihood is not a number", where=wrong.where, do="train again")
    right, start = [], 0
    for question in probe.questions:
        own, *others = (n for n, _ in found[start : start + 1 + len(question.others)])
        right.append(all(own < other for other in others))
        start += 1 + len(question.others)
    return Known(tuple(right), tuple(found[start:]))


# ---------------------------------------------------------------------------- before and after


RIGHT = Scorer(
    "probe_right",
    "Share of the general questions whose right answer is the most probable of the four.",
    PERPLEXITY.counting,
    mean,
    proportion=True,
    source="likelihood",
)


@dataclass(frozen=True)
class Change:
    """One score of the probe before and after, and the difference on the same items."""

    before: Score
    after: Score
    difference: Comparison

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def changes(
    probe: Probe, before: Known, after: Known, settings: Evaluate, seed: int
) -> dict[str, Change]:
    """``right`` and ``perplexity``, each with its intervals."""
    tables: dict[str, tuple[Scorer, list[Any]]] = {
        "right": (
            RIGHT,
            [[{0: float(r), 1: 1.0} for r in known.right] for known in (before, after)],
        ),
        "perplexity": (
            PERPLEXITY,
            [[{0: n, 1: float(t)} for n, t in known.texts] for known in (before, after)],
        ),
    }
    found = {}
    for name, (scorer, rows) in tables.items():
        if rows[0]:
            matrices = [statistics(own, 2) for own in rows]
            drawn = resample(matrices, settings.resamples, seed)
            scores: list[Score] = []
            for matrix, draws in zip(matrices, drawn, strict=True):
                sums = total(matrix)
                around = interval(scorer, sums, draws, len(rows[0]), settings.confidence)
                value = float(scorer.score(sums))
                scores.append(Score(value, around.low, around.high, around.method))
            first, second = zip(matrices, drawn, strict=True)
            rest: dict[str, Any] = {"confidence": settings.confidence, "family": 1, "seed": seed}
            apart = compare(scorer, BEFORE, second, first, **rest)
            found[name] = Change(scores[0], scores[1], apart)
    return found


def lost(found: Mapping[str, Change], limits: Forgetting | None) -> tuple[Statement, ...]:
    """What went beyond the limits, and is no chance of these items: the interval of the change
    excludes none."""
    if limits is None:
        return ()
    reasons = []
    right, texts = found.get("right"), found.get("perplexity")
    if right is not None:
        change = right.difference
        if -change.difference > limits.right and change.high is not None and change.high < 0:
            reasons.append(Statement("forgot_answers", _values(right, limits.right)))
    if texts is not None:
        change = texts.difference
        grown = change.difference / texts.before.value
        if grown > limits.perplexity and change.low is not None and change.low > 0:
            values = _values(texts, limits.perplexity) | {"unit": "perplexity", "grown": grown}
            reasons.append(Statement("forgot_texts", values))
    return tuple(reasons)


def _values(change: Change, limit: float) -> dict[str, Any]:
    apart = change.difference
    return {
        "value": change.after.value,
        "other": change.before.value,
        "difference": apart.difference,
        "low": apart.low,
        "high": apart.high,
        "limit": limit,
    }


def by_field(probe: Probe, before: Known, after: Known) -> list[dict[str, Any]]:
    """Right answers before and after, by field and language."""
    table: dict[tuple[str, str], dict[str, Any]] = {}
    for question, was, now in zip(probe.questions, before.right, after.right, strict=True):
        row = table.setdefault(
            (question.field, question.language),
            {"field": question.field, "language": question.language, "questions": 0}
            | {BEFORE: 0, AFTER: 0},
        )
        row["questions"] += 1
        row[BEFORE] += was
        row[AFTER] += now
    return list(table.values())


@dataclass(frozen=True)
class Pair:
    """The base and the tuned model, each opened at its turn, and what both are asked. ``length``: the
    tokens of a longer context, where it is that which is tried."""

    probe: Probe
    opened: Sequence[Opens]
    length: int = 0


@dataclass(frozen=True)
class Probed:
    """What became of it: the part of the report, the reasons to hold, why nothing is known."""

    part: Mapping[str, Any] = field(default_factory=dict)
    lost: tuple[Statement, ...] = ()
    notes: tuple[Statement, ...] = ()


def ask_pairs(pairs: Sequence[Pair], goal: Goal | None, settings: Evaluate, seed: int) -> Probed:
    """Ask each pair. What is lost on the general probe counts against the limits of the goal."""
    part: dict[str, Any] = {}
    forgotten: tuple[Statement, ...] = ()
    notes: list[Statement] = []
    for pair in pairs:
        try:
            probe, before, after = _ask_both(pair)
        except Interrupted:
            raise
        except AfinaError as error:
            notes.append(Statement("no_probe", {"what": error.what}))
            continue
        found = changes(probe, before, after, settings, seed)
        own: dict[str, Any] = {
            "questions": len(probe.questions),
            "texts": len(probe.texts),
            "scores": {name: change.as_dict() for name, change in found.items()},
        }
        if pair.length:
            part["long"] = {"length": pair.length, **own}
            continue
        limits = goal.forgetting if goal is not None else Forgetting()
        forgotten = lost(found, limits)
        part |= own | {
            "fields": by_field(probe, before, after),
            "limits": None if limits is None else limits.model_dump(mode="json"),
        }
    return Probed(part, forgotten, tuple(notes))


def _ask_both(pair: Pair) -> tuple[Probe, Known, Known]:
    probe, answers = pair.probe, []
    for one in pair.opened:
        try:
            model = one.predictor
            if isinstance(model, ReadsOnly) and not model.answers:
                probe = replace(probe, questions=())
            answers.append(ask(probe, model))
        finally:
            if isinstance(one, Closes):
                one.close()
    before, after = answers
    return probe, before, after
