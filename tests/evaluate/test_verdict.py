"""The verdict's rule, row by row, and its error rate where nothing differs."""

from __future__ import annotations

from typing import Any

import pytest

from afina.evaluate.paired import Comparison
from afina.evaluate.report import Score
from afina.evaluate.scorers import SCORERS
from afina.evaluate.verdict import Judged, decide, rows_needed, rule_of
from afina.recipe import Goal


def versus(
    name: str,
    low: float,
    difference: float,
    high: float,
    p_value: float = 0.001,
    family: tuple[float, float] | None = None,
) -> Comparison:
    wide = family or (low, high)
    return Comparison(
        baseline=name,
        difference=difference,
        low=low,
        high=high,
        family_low=wide[0],
        family_high=wide[1],
        p_value=p_value,
        test="mcnemar",
        interval="tango",
    )


def judged(
    comparisons: list[Comparison],
    *,
    own: tuple[float, float, float] = (0.85, 0.9, 0.95),
    at_least: float | None = None,
    margin: float = 0.0,
    asked: int | None = None,
    metric: str = "accuracy",
) -> Judged:
    scores = {"tuned": Score(own[1], own[0], own[2])}
    scores |= {c.baseline: Score(own[1] - c.difference, 0.0, 1.0) for c in comparisons}
    return Judged.of(
        SCORERS[metric],
        "tuned",
        scores,
        comparisons,
        Goal(metric=metric, at_least=at_least, margin=margin),
        rows=100,
        confidence=0.95,
        asked=len(comparisons) if asked is None else asked,
    )


BETTER = versus("linear", 0.02, 0.1, 0.18)
UNSURE = versus("few_shot", -0.02, 0.05, 0.12, p_value=0.2)
WORSE = versus("linear", -0.2, -0.1, -0.02)
EVEN = versus("linear", -0.05, 0.0, 0.05, p_value=1.0)


@pytest.mark.parametrize(
    ("case", "verdict", "codes"),
    [
        ({"comparisons": [BETTER]}, "ship", ["beats"]),
        ({"comparisons": [BETTER], "at_least": 0.9}, "ship", ["beats", "goal_reached"]),
        ({"comparisons": [BETTER], "at_least": 0.93}, "unproven", ["beats", "goal_open"]),
        ({"comparisons": [BETTER], "at_least": 0.96}, "hold", ["beats", "goal_missed"]),
        ({"comparisons": [BETTER], "margin": 0.05}, "unproven", ["not_told"]),
        ({"comparisons": [BETTER], "margin": 0.2}, "hold", ["not_better"]),
        ({"comparisons": [BETTER, UNSURE]}, "unproven", ["not_told"]),
        ({"comparisons": [BETTER, WORSE]}, "hold", ["not_better"]),
        ({"comparisons": [UNSURE, WORSE]}, "hold", ["not_better"]),
        ({"comparisons": [EVEN]}, "unproven", ["no_gain"]),
        ({"comparisons": [WORSE], "at_least": 0.8}, "hold", ["not_better", "goal_reached"]),
        ({"comparisons": [], "asked": 2}, "unproven", ["no_comparison"]),
        ({"comparisons": [], "asked": 0}, "unproven", ["no_goal"]),
        ({"comparisons": [], "asked": 0, "at_least": 0.8}, "ship", ["goal_reached"]),
        ({"comparisons": [], "asked": 0, "at_least": 0.88}, "unproven", ["goal_open"]),
        ({"comparisons": [], "asked": 0, "at_least": 0.99}, "hold", ["goal_missed"]),
    ],
)
def test_the_rule(case: dict[str, Any], verdict: str, codes: list[str]) -> None:
    found, reasons = decide(judged(**case))
    assert (found, [reason.code for reason in reasons]) == (verdict, codes)
    for language in ("en", "es"):
        assert all(len(reason.say(language)) > 20 for reason in reasons)  # type: ignore[arg-type]


def test_an_interval_alone_does_not_ship() -> None:
    """At small numbers Tango's interval is bolder than the exact test; both must agree."""
    bold = versus("linear", 0.01, 0.4, 0.7, p_value=0.125)
    assert decide(judged([bold]))[0] == "unproven"


def test_hold_is_judged_for_all_baselines_together() -> None:
    alone = versus("linear", -0.2, -0.1, -0.01, p_value=0.03, family=(-0.22, 0.01))
    others = [versus(f"b{i}", 0.01, 0.1, 0.2) for i in range(3)]
    assert decide(judged([alone, *others]))[0] == "unproven"


def test_lower_is_better_turns_everything() -> None:
    better = versus("zero_shot", -5.0, -3.0, -1.0)
    case = judged([better], own=(2.0, 2.5, 3.0), metric="perplexity", at_least=2.6)
    assert decide(case)[0] == "ship"
    case = judged([better], own=(2.0, 2.5, 3.0), metric="perplexity", at_least=1.9)
    assert decide(case)[0] == "hold"
    worse = versus("zero_shot", 1.0, 3.0, 5.0)
    assert decide(judged([worse], own=(2.0, 2.5, 3.0), metric="perplexity"))[0] == "hold"
    told = rule_of(SCORERS["perplexity"], Goal(metric="perplexity", at_least=1.9), 0.95, True)
    assert "at most" in told.say("en")
    assert "como mucho" in told.say("es")


def test_the_hardest_baseline_is_the_least_certain_advantage() -> None:
    case = judged([versus("a", 0.2, 0.3, 0.4), versus("b", 0.1, 0.35, 0.6)])
    assert case.hardest is not None
    assert case.hardest.baseline == "b"


def test_rows_needed_grow_with_the_square() -> None:
    half = versus("b", -0.05, 0.05, 0.15, p_value=0.3)
    assert rows_needed(judged([half]), half) == 400
    tiny = versus("b", -0.09, 0.01, 0.11, p_value=0.84)
    assert rows_needed(judged([tiny]), tiny) == 10_000
    assert rows_needed(judged([EVEN]), EVEN) is None
    fewer_than_there_are = versus("b", 0.01, 0.3, 0.6, p_value=0.0625)
    assert rows_needed(judged([fewer_than_there_are]), fewer_than_there_are) == 120
