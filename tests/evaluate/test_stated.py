"""The rule that was written down: what is changed after it is told, by knob, and when."""

from __future__ import annotations

from typing import Any

from afina.evaluate import Report, evaluate, html
from afina.evaluate.stated import changed, sha256_of, stated
from afina.recipe import Evaluate, Goal
from tests.evaluate.candidates import CLASSIFY, LABELS, labelled, labels_of

GOAL = Goal(metric="macro_f1", at_least=0.85)
SETTINGS = Evaluate(baselines=("majority",), scorers=("macro_f1",), resamples=100)


def told(goal: Goal | None = GOAL, settings: Evaluate = SETTINGS) -> dict[str, Any]:
    return stated(goal, settings, seed=7, test_sha256="abc")


def test_the_same_rule_is_no_change() -> None:
    assert changed(told(), sha256_of(told()), told(), openings=3) == ()
    assert "85" in told()["rule"]


def test_every_change_is_told_by_its_knob() -> None:
    lower = Goal(metric="macro_f1", at_least=0.6)
    (one,) = changed(told(), sha256_of(told()), told(lower), openings=0)
    assert one.code == "rule_changed"
    assert "goal.at_least was 0.85 and is 0.6" in one.say("en")
    (after,) = changed(told(), sha256_of(told()), told(lower), openings=2)
    assert after.code == "rule_changed_open"
    assert "2 veces" in after.say("es")
    fewer = SETTINGS.model_copy(update={"baselines": (), "confidence": 0.8})
    found = changed(told(), sha256_of(told()), told(settings=fewer), openings=0)
    assert {each.values["key"] for each in found} == {"evaluate.baselines", "evaluate.confidence"}


def test_a_rule_that_was_edited_or_never_written_is_told() -> None:
    edited = {**told(), "goal.at_least": 0.6}
    (one,) = changed(edited, sha256_of(told()), edited, openings=0)
    assert one.code == "rule_edited"
    (none,) = changed(None, "", told(), openings=0)
    assert none.code == "rule_unwritten"


def test_the_report_shows_it_before_the_verdict() -> None:
    gold = [LABELS[i % 3] for i in range(45)]
    lower = Goal(metric="macro_f1", at_least=0.6)
    report = evaluate(
        [labels_of("tuned", gold), labels_of("majority", ["bill"] * 45)],
        labelled(gold),
        task=CLASSIFY,
        tuned="tuned",
        goal=lower,
        settings=SETTINGS,
        seed=7,
        changed=changed(told(), sha256_of(told()), told(lower), openings=1),
    )
    value = report.as_dict()
    assert "goal.at_least was 0.85 and is 0.6" in value["rule_changes"][0]
    page = html(Report.from_dict(value), {})
    assert page.index("La regla se cambió después de abrir la prueba") < page.index(
        "supera a todas"
    )
