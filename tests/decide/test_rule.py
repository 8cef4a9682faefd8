"""The recommendation: the rule on scores that are known, and words in both languages."""

from __future__ import annotations

from string import Formatter
from typing import Any

import pytest

from afina.decide.costs import break_even, labelling_hours, running, training_cost
from afina.decide.outcome import _left_aside
from afina.decide.rule import Seen, recommend
from afina.decide.ways import KINDS
from afina.decide.words import SENTENCES, WORDS, Said, euros
from afina.evaluate import SCORERS, Comparison, Score
from afina.evaluate.latency import Latency
from afina.evaluate.verdict import Judged
from afina.recipe import Decide, Goal, parse_recipe

SCORER = SCORERS["exact_match"]


def seen(
    values: dict[str, float],
    *,
    tuned: str | None = "tuned_lora",
    at_least: float | None = 0.9,
    margin: float = 0.0,
    width: float = 0.05,
    changes: str = "never",
    still_falling: bool = False,
) -> Seen:
    """Ways with these scores; differences are known to ``width``."""
    scores = {
        name: Score(v, max(0.0, v - width), min(1.0, v + width)) for name, v in values.items()
    }
    kinds = {name: KINDS.get(name, "tuned") for name in values}
    own = [
        Comparison(
            name, d, d - width, d + width, d - width, d + width,
            0.001 if abs(d) > width else 0.4, "mcnemar", "tango",
        )
        for name in values
        if tuned and kinds[name] != "tuned"
        for d in [values[tuned] - values[name]]
    ]  # fmt: skip
    judged = Judged.of(
        SCORER, tuned or next(iter(values)), scores, own,
        Goal(metric="exact_match", at_least=at_least, margin=margin),
        rows=100, confidence=0.95, asked=len(own),
    )  # fmt: skip
    return Seen(judged, kinds, tuned, changes, 40, still_falling)


WAYS = {"nearest": 0.2, "linear": 0.4, "zero_shot": 0.1, "few_shot": 0.3, "rag": 0.35}


@pytest.mark.parametrize(
    ("values", "knobs", "verdict", "way", "code"),
    [
        (WAYS | {"tuned_lora": 0.95}, {}, "GO", "tuned_lora", "tune"),
        (WAYS | {"tuned_lora": 0.95, "linear": 0.92}, {}, "NO-GO", "linear", "simple_solves"),
        (WAYS | {"tuned_lora": 0.95, "few_shot": 0.91}, {}, "NO-GO", "few_shot", "prompt_solves"),
        (WAYS | {"tuned_lora": 0.95, "rag": 0.91}, {}, "NO-GO", "rag", "documents_solve"),
        (
            WAYS | {"tuned_lora": 0.95, "zero_shot": 0.91, "linear": 0.9},
            {},
            "NO-GO",
            "linear",
            "simple_solves",
        ),
        (WAYS | {"tuned_lora": 0.38}, {}, "NO-GO", "linear", "no_gain"),
        (WAYS | {"tuned_lora": 0.43}, {}, "NO-GO", "linear", "not_shown_rows"),
        (WAYS | {"tuned_lora": 0.7}, {}, "NO-GO", "tuned_lora", "tune_short"),
        (WAYS | {"tuned_lora": 0.7}, {"still_falling": True}, "GO", "tuned_lora", "tune_likely"),
        (WAYS | {"tuned_lora": 0.87}, {}, "GO", "tuned_lora", "tune_likely"),
        (WAYS | {"tuned_lora": 0.6}, {"at_least": None, "margin": 0.1}, "GO", "tuned_lora", "tune"),
        (
            WAYS | {"tuned_lora": 0.6},
            {"at_least": None, "margin": 0.25},
            "NO-GO",
            "linear",
            "no_gain",
        ),
        (WAYS, {"tuned": None}, "NO-GO", "linear", "no_trial"),
        (WAYS | {"tuned_lora": 0.95}, {"changes": "weekly"}, "NO-GO", "rag", "content_changes"),
        (
            {"zero_shot": 0.1, "tuned_lora": 0.95},
            {"changes": "daily"},
            "NO-GO",
            "rag",
            "documents_first",
        ),
        (WAYS | {"tuned_lora": 0.95}, {"changes": "yearly"}, "GO", "tuned_lora", "tune"),
        (
            WAYS | {"tuned_lora_rag": 0.95},
            {"changes": "weekly", "tuned": "tuned_lora_rag"},
            "GO",
            "tuned_lora_rag",
            "combine",
        ),
        (
            WAYS | {"tuned_lora": 0.5, "tuned_lora_rag": 0.95},
            {"tuned": "tuned_lora_rag"},
            "GO",
            "tuned_lora_rag",
            "combine",
        ),
        ({"tuned_lora": 0.95}, {}, "GO", "tuned_lora", "tune_alone"),
        ({"tuned_lora": 0.5}, {}, "NO-GO", "tuned_lora", "tune_alone_short"),
    ],
)
def test_the_rule(
    values: dict[str, float], knobs: dict[str, Any], verdict: str, way: str, code: str
) -> None:
    order = [*[name for name in KINDS if name in values], *[n for n in values if n not in KINDS]]
    told = recommend(seen({name: values[name] for name in order}, **knobs))
    assert (told.verdict, told.way, told.reasons[0].code) == (verdict, way, code)
    for reason in told.reasons:
        assert reason.say("en") and reason.say("es")
        assert "{" not in reason.say("es")


def test_what_should_be_known_beside_it() -> None:
    told = recommend(seen(WAYS | {"linear": 0.92, "tuned_lora": 0.97}, still_falling=True))
    assert [r.code for r in told.reasons] == [
        "simple_solves", "goal_not_sure", "tuning_adds", "trial_was_short",
    ]  # fmt: skip
    sure = recommend(seen(WAYS | {"linear": 0.96, "tuned_lora": 0.9}))
    assert [r.code for r in sure.reasons] == ["simple_solves"]


def test_documents_that_do_not_reach_the_goal_are_not_called_enough() -> None:
    told = recommend(seen(WAYS | {"rag": 0.3, "tuned_lora": 0.5}, changes="monthly"))
    assert [r.code for r in told.reasons] == ["content_changes", "way_short"]


def test_what_the_trials_leave_aside_is_said() -> None:
    asked: dict[str, Any] = {"task": "classify", "base": "b", "data": {"train": "a.csv"}}
    assert _left_aside(parse_recipe(asked)) == ()
    asked["data"]["augment"] = {"by": ["synonyms"]}
    assert [said.code for said in _left_aside(parse_recipe(asked))] == ["not_augmented"]


def test_both_languages_have_the_same_places() -> None:
    for code, (english, spanish) in SENTENCES.items():
        places = [
            {(name, form) for _, name, form, _ in Formatter().parse(text) if name}
            for text in (english, spanish)
        ]
        assert places[0] == places[1], code
    assert all(english and spanish for english, spanish in WORDS.values())


def test_figures_are_written_as_each_language_does() -> None:
    values = {"against": "few_shot", "saved": -0.25, "training": 1234.5, "labelling": 0.0004}
    said = Said("no_break_even", values)
    assert "−0.25\u00a0€" in said.say("en") and "1,234.50\u00a0€" in said.say("en")
    assert "−0,25\u00a0€" in said.say("es") and "0,000400\u00a0€" in said.say("es")
    assert euros(0.0, "en") == "0.00\u00a0€"


# ---------------------------------------------------------------------------- money


def test_costs_follow_from_seconds_tokens_and_prices() -> None:
    latency = Latency(p50=1.0, p95=2.0, mean=1.8, requests=10)
    tokens = {"prompt_tokens": 500.0, "answer_tokens": 20.0}
    here = Decide(hour_price=0.5)
    assert running("prompt", latency, tokens, here).cost_per_1000 == pytest.approx(0.25)
    hosted = Decide(hour_price=0.5, prompt_price=2.0, answer_price=10.0)
    there = running("prompt", latency, tokens, hosted)
    assert there.hosted and there.cost_per_1000 == pytest.approx(1.2)
    own = running("tuned", latency, tokens, hosted)
    assert not own.hosted and own.cost_per_1000 == pytest.approx(0.25)
    even = break_even("few_shot", there, own, training=1.9, labelling=9.5)
    assert even.saved_per_1000 == pytest.approx(0.95)
    assert (even.requests, even.requests_with_labelling) == (2000, 12000)
    never = break_even("few_shot", own, there, training=1.9, labelling=9.5)
    assert (never.requests, never.requests_with_labelling) == (None, None)
    assert training_cost(7200, here) == pytest.approx(1.0)
    assert labelling_hours(240, Decide(label_seconds=30)) == pytest.approx(2.0)
