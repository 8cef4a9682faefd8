"""The recommendation, by a rule that is fixed before anything is measured.

What the content of the answers changes with belongs into documents, what their style, rules and
form are into weights, and a prompt is tried first. The cheapest way that reaches the goal is
enough; tuning goes ahead where it is shown to be better than every way without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from afina.decide.words import Said
from afina.evaluate import Comparison, Score, Scorer
from afina.evaluate.verdict import Judged, rows_needed, shown_better

Verdict = Literal["GO", "NO-GO"]
OFTEN = ("monthly", "weekly", "daily")
"""Content that changes this often is not for weights."""
SOLVES = {"simple": "simple_solves", "prompt": "prompt_solves", "documents": "documents_solve"}


@dataclass(frozen=True)
class Seen:
    """What the rule looks at. ``kinds`` is in the order of effort; ``tuned`` is the best trial.

    ``comparisons`` are of that trial against each way without training; ``judged`` holds scorer,
    goal, scores and rows. ``still_falling``: the trial's loss was, when its steps ended.
    """

    judged: Judged
    kinds: Mapping[str, str]
    tuned: str | None
    changes: str
    steps: int
    still_falling: bool = False

    @property
    def scorer(self) -> Scorer:
        return self.judged.scorer

    def score(self, name: str) -> Score:
        return self.judged.scores[name]

    def better(self, value: float, other: float) -> bool:
        return self.scorer.sign * (value - other) > 0

    def reaches(self, value: float | None) -> bool:
        """Whether a value reaches the stated threshold; an open end does."""
        at_least = self.judged.at_least
        return at_least is not None and (
            value is None or self.scorer.sign * (value - at_least) >= 0
        )

    def untrained(self) -> list[str]:
        """Measured ways without training, by effort."""
        return [n for n, kind in self.kinds.items() if kind != "tuned" and n in self.judged.scores]

    def best_untrained(self) -> str | None:
        """The one with the best value; of equals the one of less effort."""
        names = self.untrained()
        sign = self.scorer.sign
        return max(names, key=lambda n: (sign * self.score(n).value, -names.index(n)), default=None)


@dataclass(frozen=True)
class Recommendation:
    """What to do: ``GO`` is to tune. ``way`` is the one that is recommended."""

    verdict: Verdict
    way: str
    reasons: tuple[Said, ...]


def recommend(seen: Seen) -> Recommendation:
    """The rule. What is not shown is not taken for granted."""
    verdict, way, reason = _decided(seen)
    return Recommendation(verdict, way, (reason, *_remarks(seen, way)))


def _decided(seen: Seen) -> tuple[Verdict, str, Said]:
    best = seen.best_untrained()
    if seen.changes in OFTEN:
        return _content(seen, best)
    for name in seen.untrained():
        if seen.reaches(seen.score(name).value):
            return "NO-GO", name, Said(SOLVES[seen.kinds[name]], _values(seen, name))
    if seen.tuned is None:
        return "NO-GO", best or "", Said("no_trial", _values(seen, best))
    if best is None:
        return _by_goal_alone(seen, seen.tuned)
    return _against(seen, seen.tuned, best)


def _content(seen: Seen, best: str | None) -> tuple[Verdict, str, Said]:
    """Content that changes: documents, alone or with a tuned model that reads them."""
    documents = next((n for n in seen.untrained() if seen.kinds[n] == "documents"), None)
    if documents is None:
        return "NO-GO", "rag", Said("documents_first", {"changes": seen.changes})
    if seen.tuned is not None and "rag" in seen.tuned and _shown(seen):
        return "GO", seen.tuned, Said("combine", _values(seen, seen.tuned, documents))
    return (
        "NO-GO",
        documents,
        Said("content_changes", _values(seen, documents) | {"changes": seen.changes}),
    )


def _against(seen: Seen, tuned: str, best: str) -> tuple[Verdict, str, Said]:
    values = _values(seen, tuned, best)
    judged = seen.judged
    if _shown(seen):
        score = seen.score(tuned)
        if judged.at_least is None or seen.reaches(score.value):
            return "GO", tuned, Said("combine" if "rag" in tuned else "tune", values)
        best_end = score.high if seen.scorer.sign > 0 else score.low
        if seen.still_falling or seen.reaches(best_end):
            return "GO", tuned, Said("tune_likely", values)
        return "NO-GO", tuned, Said("tune_short", values)
    advantage = seen.scorer.sign * (seen.score(tuned).value - seen.score(best).value)
    if advantage <= judged.margin:
        return "NO-GO", best, Said("no_gain", values)
    hardest = judged.hardest
    needed = rows_needed(judged, hardest) if hardest is not None else None
    code = "not_shown" if needed is None else "not_shown_rows"
    return "NO-GO", best, Said(code, values | {"needed": needed})


def _by_goal_alone(seen: Seen, tuned: str) -> tuple[Verdict, str, Said]:
    reached = seen.reaches(seen.score(tuned).value)
    return (
        ("GO" if reached else "NO-GO"),
        tuned,
        Said("tune_alone" if reached else "tune_alone_short", _values(seen, tuned)),
    )


def _shown(seen: Seen) -> bool:
    """Whether the trial is shown to be better than every way without training, by the margin."""
    comparisons: Sequence[Comparison] = seen.judged.comparisons
    return bool(comparisons) and all(shown_better(seen.judged, c) for c in comparisons)


def _remarks(seen: Seen, way: str) -> list[Said]:
    """What should be known beside the reason."""
    found: list[Said] = []
    own = seen.judged.scores.get(way)
    if own is not None and seen.kinds.get(way) != "tuned" and seen.reaches(own.value):
        worst = own.low if seen.scorer.sign > 0 else own.high
        if worst is None or not seen.reaches(worst):
            found.append(Said("goal_not_sure", _values(seen, way)))
    short = own is not None and seen.judged.at_least is not None and not seen.reaches(own.value)
    if short and seen.changes in OFTEN and seen.kinds.get(way) == "documents":
        found.append(Said("way_short", _values(seen, way)))
    tuned = seen.tuned
    if tuned is None or way == tuned:
        return found
    if own is not None and not short and seen.better(seen.score(tuned).value, own.value):
        found.append(Said("tuning_adds", _values(seen, tuned, way)))
    if seen.still_falling:
        found.append(Said("trial_was_short", {"tuned": tuned, "steps": seen.steps}))
    return found


def _values(seen: Seen, way: str | None, other: str | None = None) -> dict[str, Any]:
    """What the sentences about a way need."""
    judged = seen.judged
    values: dict[str, Any] = {
        "metric": seen.scorer.name,
        "unit": seen.scorer.unit,
        "better": seen.scorer.better,
        "way": way,
        "rows": judged.rows,
        "margin": judged.margin,
        "steps": seen.steps,
    }
    if judged.at_least is not None:
        values["at_least"] = judged.at_least
    if way is not None and way in judged.scores:
        score = seen.score(way)
        values |= {"value": score.value, "low": score.low, "high": score.high}
    if other is not None:
        values |= {"other": other, "other_value": seen.score(other).value}
        comparison = next((c for c in judged.comparisons if c.baseline == other), None)
        if comparison is not None:
            values |= {"difference": comparison.difference, "low_difference": comparison.low,
                       "high_difference": comparison.high}  # fmt: skip
    return values
