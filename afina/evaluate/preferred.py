"""Which of two candidates is preferred: wins, losses and ties of one or several judges.

The win rate counts a tie as half; its interval resamples whole questions, so that several judges of one
question count as what they are: not independent. The test is the sign test over questions (Dixon & Mood
1946): a question is won by the candidate that more judges preferred, ties say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from afina.evaluate.agreement import Agreement, agreements, cohen, majority
from afina.evaluate.blind import Filled, Key
from afina.evaluate.intervals import interval, resample, total
from afina.evaluate.paired import mcnemar
from afina.evaluate.scorer import Scorer, mean
from afina.evaluate.statement import Statement

RESAMPLES = 2000
PEOPLE = ("people_prefer", "people_prefer_none")
MODEL = ("model_prefers", "model_prefers_none")
"""The sentence where a lead is shown, and where none is."""
POINTS = {"first": 1.0, "tie": 0.5, "second": 0.0}


@dataclass(frozen=True)
class Preferred:
    """What some judges said, in terms of the candidates."""

    judges: Mapping[str, Mapping[str, int]]
    """Each judge's wins of the first candidate, of the second, and ties."""
    rows: int
    """Questions: those that were judged, and those with equal answers (ties)."""
    rate: float
    low: float
    high: float
    won: int
    lost: int
    p_value: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "judges": {name: dict(counts) for name, counts in self.judges.items()},
            "rows": self.rows,
            "win_rate": {"value": self.rate, "low": self.low, "high": self.high},
            "rows_won": self.won,
            "rows_lost": self.lost,
            "p_value": self.p_value,
        }


def in_terms(key: Key, filled: Filled) -> dict[str, str]:
    """Item to ``first``, ``second`` or ``tie``."""
    sides = {item.item: item.first_is for item in key.items}
    return {
        item: "tie" if side == "tie" else "first" if side == sides[item] else "second"
        for item, side in filled.choices.items()
    }


def preferred(
    key: Key, judges: Mapping[str, Mapping[str, str]], confidence: float, seed: int
) -> Preferred:
    """Count. ``judges``: of each the outcomes by item, as ``in_terms`` gives them.

    Questions with equal answers are ties in the share in which judged ones stand for all.
    """
    items = [item.item for item in key.items if any(item.item in own for own in judges.values())]
    points = [[POINTS[own[item]] for own in judges.values() if item in own] for item in items]
    same = round(key.identical * len(items) / len(key.items))
    table = np.array([[np.mean(p), 1.0] for p in points] + [[0.5, 1.0]] * same)
    scorer = Scorer("win_rate", "", lambda _: None, mean)  # type: ignore[arg-type, return-value]
    sums, rows = total(table), len(table)
    around = interval(scorer, sums, resample([table], RESAMPLES, seed)[0], rows, confidence)
    won, lost = int((table[:, 0] > 0.5).sum()), int((table[:, 0] < 0.5).sum())
    counts = {
        name: {what: sum(said == what for said in own.values()) for what in POINTS}
        for name, own in judges.items()
    }
    rate = float(mean(sums))
    return Preferred(counts, rows, rate, around.low, around.top, won, lost, mcnemar(won, lost))


@dataclass(frozen=True)
class Outcome:
    """What a comparison came to: people's preference, a model's, and how far they agree."""

    key: Key
    people: Preferred | None
    model: Preferred | None
    among_people: tuple[Agreement, ...]
    with_people: Agreement | None
    statements: tuple[Statement, ...]
    winner: str | None

    def as_dict(self) -> dict[str, Any]:
        return {
            "form": self.key.form,
            "first": self.key.first,
            "second": self.key.second,
            "items": len(self.key.items),
            "identical": self.key.identical,
            "people": self.people.as_dict() if self.people else None,
            "model": self.model.as_dict() if self.model else None,
            "agreement": [found.as_dict() for found in self.among_people],
            "agreement_with_people": self.with_people.as_dict() if self.with_people else None,
            "winner": self.winner,
            "reason": " ".join(statement.say("en") for statement in self.statements),
            "statements": [statement.as_dict() for statement in self.statements],
        }


def judged(
    key: Key,
    people: Sequence[Filled],
    model: Filled | None = None,
    *,
    confidence: float = 0.95,
    seed: int = 7,
) -> Outcome:
    """People's verdict where there are any; a model's only if its agreement with them is shown.

    The winner is the candidate whose lead the sign test shows; None if it shows none.
    """
    told = {filled.judge: in_terms(key, filled) for filled in people}
    theirs = preferred(key, told, confidence, seed) if told else None
    of_model = in_terms(key, model) if model is not None else None
    own = preferred(key, {model.judge: of_model}, confidence, seed) if model and of_model else None
    agreed = None
    if model is not None and of_model is not None and told:
        most = {item: said or "tie" for item, said in majority(told).items()}
        agreed = cohen((model.judge, of_model), ("people", most), confidence, seed)
    statements: list[Statement] = []
    winner = None
    if theirs is not None:
        winner, said = _verdict(PEOPLE, key, theirs, confidence)
        statements.append(said)
    if own is not None and model is not None:
        values = {"judge": model.judge}
        if agreed is None or not agreed.shown:
            figures = {"kappa": agreed.value, "low": agreed.low} if agreed else {}
            known = agreed is not None and agreed.value is not None
            code = "model_unlike_people" if known else "model_unchecked"
            statements.append(Statement(code, values | (figures if known else {})))
        else:
            figures = {"kappa": agreed.value, "low": agreed.low, "high": agreed.high}
            statements.append(Statement("model_like_people", values | figures))
            by_model, said = _verdict(MODEL, key, own, confidence, model.judge)
            statements.append(said)
            winner = winner or by_model
    among = agreements(told, confidence, seed)
    return Outcome(key, theirs, own, among, agreed, tuple(statements), winner)


def _verdict(
    codes: tuple[str, str], key: Key, found: Preferred, confidence: float, judge: str = ""
) -> tuple[str | None, Statement]:
    """Who leads, if that is shown, and the sentence about it."""
    leads = key.first if found.won > found.lost else key.second
    shown = found.p_value <= 1 - confidence and found.won != found.lost
    values = {
        "first": key.first,
        "second": key.second,
        "value": found.rate,
        "low": found.low,
        "high": found.high,
        "won": found.won,
        "lost": found.lost,
        "rows": found.rows,
        "p_value": found.p_value,
        "leads": leads,
    } | ({"judge": judge} if judge else {})
    return (leads if shown else None), Statement(codes[0] if shown else codes[1], values)
