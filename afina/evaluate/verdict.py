"""The verdict: ship, hold or unproven, by a rule that is fixed before any answer is seen.

How the error rate stays honest with several baselines, all on the same test: to ship, the tuned
model must beat *every* baseline, each at the full confidence. Wrongly shipping then needs a wrong
result against a baseline that is truly as good, so its chance is that of one test, however many
baselines there are and whichever looks best (intersection-union test, Berger 1982). To hold, one
baseline is enough, so there each is tested at the confidence divided by their number (Bonferroni).
A difference counts as shown only if its interval and its test of no difference agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from afina.evaluate.intervals import normal_quantile
from afina.evaluate.paired import Comparison
from afina.evaluate.report import Score, Verdict
from afina.evaluate.scorer import Scorer
from afina.evaluate.statement import Statement
from afina.recipe import Goal

MOST_ROWS = 1_000_000
"""A test that nobody will make larger than this."""


@dataclass(frozen=True)
class Judged:
    """What the rule looks at: the judged score of all candidates and the paired comparisons.

    ``asked`` is the number of baselines that were to be measured.
    """

    scorer: Scorer
    tuned: str
    scores: Mapping[str, Score]
    comparisons: Sequence[Comparison]
    rows: int
    confidence: float
    at_least: float | None
    margin: float
    asked: int

    @classmethod
    def of(
        cls,
        scorer: Scorer,
        tuned: str,
        scores: Mapping[str, Score],
        comparisons: Sequence[Comparison],
        goal: Goal | None,
        **rest: Any,
    ) -> Judged:
        """With the goal's figures, or none."""
        at_least, margin = (goal.at_least, goal.margin) if goal is not None else (None, 0.0)
        return cls(scorer, tuned, scores, comparisons, at_least=at_least, margin=margin, **rest)

    def advantage(self, comparison: Comparison, family: bool = False) -> tuple[float, float, float]:
        """(low, difference, high) turned so that more is better for the tuned model."""
        low = comparison.family_low if family else comparison.low
        high = comparison.family_high if family else comparison.high
        low, high = -math.inf if low is None else low, math.inf if high is None else high
        if self.scorer.sign > 0:
            return low, comparison.difference, high
        return -high, -comparison.difference, -low

    @property
    def hardest(self) -> Comparison | None:
        """The comparison in which the tuned model's advantage is least certain."""
        return min(self.comparisons, key=lambda c: self.advantage(c)[0], default=None)

    def values(self, comparison: Comparison | None = None, **more: Any) -> dict[str, Any]:
        """What the sentences about this need."""
        own = self.scores[self.tuned]
        values: dict[str, Any] = {
            "metric": self.scorer.name,
            "unit": self.scorer.unit,
            "better": self.scorer.better,
            "tuned": self.tuned,
            "value": own.value,
            "low": own.low,
            "high": own.high,
            "rows": self.rows,
            "margin": self.margin,
            "confidence": self.confidence,
        }
        if self.at_least is not None:
            values["at_least"] = self.at_least
        if comparison is not None:
            values |= {
                "baseline": comparison.baseline,
                "other": self.scores[comparison.baseline].value,
                "difference": comparison.difference,
                "low": comparison.low,
                "high": comparison.high,
                "p_value": comparison.p_value,
            }
        return values | more


def rule_of(scorer: Scorer, goal: Goal | None, confidence: float, asked: bool) -> Statement:
    """The rule in words, as it is written down before training and stored in the report.

    ``asked``: whether there are baselines to be better than.
    """
    values: dict[str, Any] = {
        "metric": scorer.name,
        "unit": scorer.unit,
        "better": scorer.better,
        "margin": goal.margin if goal is not None else 0.0,
        "confidence": confidence,
    }
    code = "rule"
    if goal is not None and goal.at_least is not None:
        code, values["at_least"] = "rule_goal", goal.at_least
    return Statement(code if asked else "rule_alone", values)


def decide(
    judged: Judged, tested: Mapping[str, Any] | None = None, lost: Sequence[Statement] = ()
) -> tuple[Verdict, tuple[Statement, ...]]:
    """The verdict and its reasons. ``tested``: the report's part on the file of expectations; one
    that is failed holds, whatever the scores say. ``lost``: what was forgotten beyond the limits; it
    holds too."""
    verdict, reasons = _by_scores(judged)
    if lost:
        verdict, reasons = "hold", (*lost, *reasons)
    if not tested:
        return verdict, reasons
    values = {key: tested[key] for key in ("file", "rows")} | {"tuned": judged.tuned}
    if not tested["failed"]:
        return verdict, (*reasons, Statement("tests_met", values))
    failed = Statement("tests_failed", values | {"failed": len(tested["failed"])})
    return "hold", (failed, *reasons)


def _by_scores(judged: Judged) -> tuple[Verdict, tuple[Statement, ...]]:
    if not judged.asked:
        return _by_goal_alone(judged)
    against = _against_baselines(judged)
    goal = _goal(judged)
    reasons = tuple(reason for _, reason in (against, goal) if reason is not None)
    states = {against[0], goal[0]}
    if "hold" in states:
        return "hold", reasons
    return ("ship" if states == {"ship"} else "unproven"), reasons


def shown_better(judged: Judged, comparison: Comparison) -> bool:
    """Whether the tuned model beats this baseline by more than the margin, at the confidence."""
    low, _, _ = judged.advantage(comparison)
    return low > judged.margin and comparison.p_value <= 1 - judged.confidence


def shown_not_better(judged: Judged, comparison: Comparison) -> bool:
    """Whether it is ruled out, for all baselines at once, that it beats this one by the margin."""
    _, _, high = judged.advantage(comparison, family=True)
    if high > judged.margin:
        return False
    allowed = (1 - judged.confidence) / max(1, len(judged.comparisons))
    return judged.margin > 0 or comparison.p_value <= allowed


def _against_baselines(judged: Judged) -> tuple[Verdict, Statement]:
    if not judged.comparisons:
        return "unproven", Statement("no_comparison", judged.values())
    lost = [c for c in judged.comparisons if shown_not_better(judged, c)]
    if lost:
        worst = min(lost, key=lambda c: judged.advantage(c)[1])
        return "hold", Statement("not_better", judged.values(worst))
    open_ones = [c for c in judged.comparisons if not shown_better(judged, c)]
    if not open_ones:
        return "ship", Statement("beats", judged.values(judged.hardest))
    nearest = min(open_ones, key=lambda c: judged.advantage(c)[0])
    needed = rows_needed(judged, nearest)
    code = "no_gain" if needed is None else "not_told"
    return "unproven", Statement(code, judged.values(nearest, needed=needed))


def _goal(judged: Judged) -> tuple[Verdict, Statement | None]:
    """Reached by the measured value; missed for sure by the whole interval; else open."""
    if judged.at_least is None:
        return "ship", None
    own = judged.scores[judged.tuned]
    sign = judged.scorer.sign
    best = own.high if sign > 0 else own.low
    if sign * (own.value - judged.at_least) >= 0:
        return "ship", Statement("goal_reached", judged.values())
    if best is not None and sign * (best - judged.at_least) < 0:
        return "hold", Statement("goal_missed", judged.values())
    return "unproven", Statement("goal_open", judged.values())


def _by_goal_alone(judged: Judged) -> tuple[Verdict, tuple[Statement, ...]]:
    if judged.at_least is None:
        return "unproven", (Statement("no_goal", judged.values()),)
    own = judged.scores[judged.tuned]
    worst = own.low if judged.scorer.sign > 0 else own.high
    verdict, reason = _goal(judged)
    surely = worst is not None and judged.scorer.sign * (worst - judged.at_least) >= 0
    if verdict == "ship" and not surely:
        verdict, reason = "unproven", Statement("goal_open", judged.values())
    assert reason is not None
    return verdict, (reason,)


def rows_needed(judged: Judged, comparison: Comparison) -> int | None:
    """About how many test rows would show the difference, if it stayed as it is.

    Intervals shrink with the root of the rows. Two significant digits; None if the difference is
    not above the margin, where no number of rows would, or by so little that it takes more than
    ``MOST_ROWS``.
    """
    low, difference, _ = judged.advantage(comparison)
    gain = difference - judged.margin
    if gain <= 0 or not math.isfinite(low):
        return None
    factor = ((difference - low) / gain) ** 2
    if low > judged.margin:  # only the test of no difference is not convinced yet
        seen = NormalDist().inv_cdf(1 - comparison.p_value / 2)
        factor = max(factor, (normal_quantile(judged.confidence) / seen) ** 2)
    exact = max(judged.rows + 1, math.ceil(judged.rows * factor))
    if exact > MOST_ROWS:
        return None
    step = 10 ** max(0, len(str(exact)) - 2)
    return int(math.ceil(exact / step) * step)
