"""The general probe: the set itself, what is counted right, and what turns the verdict to hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from afina.errors import ModelError
from afina.evaluate import Report, evaluate, html
from afina.evaluate.needles import long_probe
from afina.evaluate.probe import Known, Pair, Probe, ask, changes, lost
from afina.recipe import Evaluate, Forgetting, Goal
from afina.recipe.proof import PROBE_ITEMS
from afina.types import ChatExample, Example, TextExample
from tests.evaluate.candidates import CLASSIFY, LABELS, labelled, labels_of

QUICK = Evaluate(resamples=200, probe=PROBE_ITEMS)
WHOLE = Probe.of(PROBE_ITEMS)
GOLD = [LABELS[i % 3] for i in range(45)]


class Knows:
    """Has the questions before ``right`` right, and all texts at ``nats`` a token (of 100)."""

    def __init__(self, right: int, nats: float = 2.0) -> None:
        self.right, self.nats = right, nats
        self.closed = 0

    @property
    def predictor(self) -> Knows:
        return self

    def close(self) -> None:
        self.closed += 1

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        knows = {q.id for q in WHOLE.questions[: self.right]}
        answers = {
            q.id: q.answer for q in (*WHOLE.questions, *long_probe(500, lambda e: 100).questions)
        }
        found = []
        for place, example in enumerate(examples):
            if isinstance(example, ChatExample):
                own = example.messages[-1].content == answers[example.id]
                found.append((1.0 if own == (example.id in knows) else 3.0, 1))
            else:
                found.append((100 * self.nats + place % 7, 100))
        return found


# ---------------------------------------------------------------------------- the set


def test_the_set_is_sound() -> None:
    assert (len(WHOLE.questions), len(WHOLE.texts)) == (120, 40)
    assert len({q.question for q in WHOLE.questions}) == 120
    for question in WHOLE.questions:
        assert len({question.answer, *question.others}) == 4
        assert all(text == text.strip() for text in (question.question, question.answer))
    words = [len(text.text.split()) for text in WHOLE.texts]
    assert min(words) >= 95 and max(words) <= 115
    assert len({text.text for text in WHOLE.texts}) == 40


@pytest.mark.parametrize("items", [40, 80, 160])
def test_each_beginning_of_the_set_holds_all_alike(items: int) -> None:
    part = Probe.of(items)
    assert len(part.questions) + len(part.texts) == items
    assert len(part.questions) == 3 * len(part.texts)
    languages = Counter(q.language for q in part.questions)
    assert languages["en"] == languages["es"]
    fields = Counter(q.field for q in part.questions).values()
    assert len(fields) == 6 and max(fields) - min(fields) <= 2


# ---------------------------------------------------------------------------- right or wrong


def test_right_is_what_is_more_probable_than_every_other_answer() -> None:
    known = ask(WHOLE, Knows(30))
    assert sum(known.right) == 30 and all(known.right[:30])
    assert known.texts[0][1] == 100

    class Undecided(Knows):
        def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
            return [(1.0, 1)] * len(examples)

    assert not any(ask(WHOLE, Undecided(0)).right)


def test_a_likelihood_that_is_no_number_is_refused() -> None:
    with pytest.raises(ModelError, match="not a number"):
        ask(WHOLE, Knows(3, nats=float("nan")))
    with pytest.raises(ModelError, match="not a number"):
        ask(WHOLE, Knows(3, nats=float("inf")))


def measured(before: Knows, after: Knows, limits: Forgetting | None) -> Sequence[str]:
    known = [ask(WHOLE, one) for one in (before, after)]
    found = changes(WHOLE, known[0], known[1], QUICK, 7)
    return [statement.code for statement in lost(found, limits)]


def test_what_goes_beyond_the_limits_is_named() -> None:
    limits = Forgetting(right=0.05, perplexity=0.2)
    assert measured(Knows(80), Knows(80), limits) == []
    assert measured(Knows(80), Knows(100, nats=1.5), limits) == []
    assert measured(Knows(80), Knows(60), limits) == ["forgot_answers"]
    assert measured(Knows(80), Knows(76), limits) == []  # 3.3 points
    assert measured(Knows(80), Knows(60, nats=2.5), limits) == ["forgot_answers", "forgot_texts"]
    assert measured(Knows(80), Knows(80, nats=2.1), limits) == []  # 10.5 %
    assert measured(Knows(80), Knows(60, nats=2.5), None) == []
    assert measured(Knows(80), Knows(60), Forgetting(right=0.2)) == []


def test_a_loss_that_may_be_chance_is_no_reason() -> None:
    before = Known(tuple(i < 60 for i in range(120)), ())
    mixed = Known(tuple(20 <= i < 72 for i in range(120)), ())  # 20 lost, 12 gained
    found = changes(WHOLE, before, mixed, QUICK, 7)
    assert found["right"].difference.difference == pytest.approx(-8 / 120)
    assert found["right"].difference.high is not None and found["right"].difference.high > 0
    assert lost(found, Forgetting(right=0.05)) == ()


# ---------------------------------------------------------------------------- in the report


def report_of(before: Any, after: Any, goal: Goal | None = None) -> Report:
    return evaluate(
        [labels_of("tuned", GOLD), labels_of("majority", ["bill"] * 45)],
        labelled(GOLD),
        task=CLASSIFY,
        tuned="tuned",
        goal=goal,
        settings=QUICK,
        seed=7,
        probed=[Pair(WHOLE, (before, after))],
    )


def test_forgetting_turns_ship_to_hold_with_the_reason() -> None:
    before, after = Knows(80), Knows(50, nats=2.4)
    kept = report_of(before, Knows(80))
    assert kept.verdict == "ship"
    gone = report_of(before, after)
    assert gone.verdict == "hold"
    assert [r.code for r in gone.reasons] == ["forgot_answers", "forgot_texts", "beats"]
    assert "forgot" in gone.as_dict()["reason"]
    assert "Olvidó" in gone.reasons[0].say("es")
    assert report_of(before, after, Goal(metric="accuracy", forgetting=None)).verdict == "ship"
    assert after.closed == 2 and before.closed == 3
    again = Report.from_dict(json.loads(json.dumps(gone.as_dict())))
    assert again.probe == gone.probe and again.verdict == "hold"


def test_the_report_shows_both_sides() -> None:
    value = report_of(Knows(80), Knows(50, nats=2.4)).as_dict()
    probe = value["probe"]
    assert (probe["questions"], probe["texts"]) == (120, 40)
    right = probe["scores"]["right"]
    assert right["before"]["value"] == pytest.approx(80 / 120)
    assert right["after"]["value"] == pytest.approx(50 / 120)
    assert right["difference"]["baseline_only"] == 30
    assert sum(row["base"] for row in probe["fields"]) == 80
    assert sum(row["tuned"] for row in probe["fields"]) == 50
    page = html(value, {}, "es")
    for said in ("What it knew before", "Lo que sabía antes", "Common sense", "Sentido común"):
        assert said in page
    assert 'id="probe"' not in html({**value, "probe": {}}, {})


def test_a_probe_that_cannot_be_asked_is_said() -> None:
    class Broken(Knows):
        def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
            raise ModelError("300 tokens, and the base takes 256")

    report = report_of(Knows(80), Broken(0))
    assert report.probe == {} and report.verdict == "ship"
    assert "300 tokens" in next(n.say("en") for n in report.notes if n.code == "no_probe")


def test_texts_are_examples_of_raw_text() -> None:
    assert all(isinstance(e, TextExample) for e in WHOLE.examples[-40:])


def test_a_needle_lies_in_its_hay_at_its_depth() -> None:
    def words(example: Example) -> int:
        text = example.text if isinstance(example, TextExample) else example.messages[0].content  # type: ignore[attr-defined]
        return len(text.split())

    found = long_probe(3000, words)
    assert len(found.questions) == 4 and len(found.texts) == 2
    for question, depth in zip(found.questions, (0.1, 0.4, 0.6, 0.9), strict=True):
        assert 2800 < words(question.examples[0]) <= 3000
        assert question.question.count(question.answer) == 1
        assert not any(other in question.question for other in question.others)
        assert question.question.index(question.answer) / len(question.question) == pytest.approx(
            depth, abs=0.06
        )
    assert all(2800 < words(text) <= 3000 for text in found.texts)


def test_how_far_a_longer_context_is_read_stands_beside_it() -> None:
    needles = long_probe(500, lambda example: 100)
    general, long = (Knows(80), Knows(80)), (Knows(0), Knows(0, nats=1.5))
    report = evaluate(
        [labels_of("tuned", GOLD)],
        labelled(GOLD),
        task=CLASSIFY,
        tuned="tuned",
        goal=None,
        settings=QUICK,
        seed=7,
        probed=[Pair(WHOLE, general), Pair(needles, long, 500)],
    )
    found = report.as_dict()["probe"]
    assert found["long"]["length"] == 500 and found["long"]["questions"] == 4
    assert found["long"]["scores"]["perplexity"]["difference"]["difference"] < 0
    assert found["questions"] == 120
    page = html(report.as_dict(), {}, "es")
    assert "Facts found in long texts" in page and "Datos hallados en textos largos" in page
