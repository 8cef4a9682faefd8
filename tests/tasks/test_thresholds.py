"""Thresholds by cost, precision and recall: the best cut by trying them all, and what is kept."""

from __future__ import annotations

import random
from typing import Any

import pytest
from pydantic import ValidationError

from afina.errors import AfinaError
from afina.tasks import Classify
from afina.tasks.thresholds import LEAST, Wanted, choose
from afina.types import LabelledExample


def rows(seed: int, count: int = 60) -> tuple[list[float], list[bool]]:
    """Probabilities with ties that say something about the label."""
    dice = random.Random(seed)
    has = [dice.random() < 0.3 for _ in range(count)]
    return [round(min(1.0, max(0.0, 0.35 * h + dice.random() * 0.6)), 2) for h in has], has


def made(threshold: float, probabilities: list[float], has: list[bool]) -> tuple[int, int, int]:
    """(hits, false alarms, misses)."""
    given = [p >= threshold for p in probabilities]
    hits = sum(g and h for g, h in zip(given, has, strict=True))
    return hits, sum(given) - hits, sum(has) - hits


EVERY = [n / 1000 for n in range(1001)]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize(("alarm", "miss"), [(1, 1), (1, 10), (5, 1), (1, 0), (0, 1)])
def test_no_other_threshold_costs_less(seed: int, alarm: float, miss: float) -> None:
    probabilities, has = rows(seed)

    def cost(threshold: float) -> float:
        _, alarms, misses = made(threshold, probabilities, has)
        return alarm * alarms + miss * misses

    found = choose(Wanted(false_alarm=alarm, miss=miss), probabilities, has)
    assert found.why == "chosen"
    assert cost(found.threshold) == min(map(cost, EVERY))


@pytest.mark.parametrize("seed", range(20))
def test_precision_and_recall_are_kept_and_the_other_is_best(seed: int) -> None:
    probabilities, has = rows(seed)
    counts = [made(t, probabilities, has) for t in EVERY]
    found = choose(Wanted(recall=0.9), probabilities, has)
    hits, alarms, misses = made(found.threshold, probabilities, has)
    assert hits / (hits + misses) >= 0.9
    assert alarms == min(a for h, a, m in counts if h / (h + m) >= 0.9)
    found = choose(Wanted(precision=0.6), probabilities, has)
    fair = [h for h, a, _ in counts if h and h / (h + a) >= 0.6]
    if not fair:
        assert (found.why, found.threshold) == ("out_of_reach", 0.5)
    else:
        hits, alarms, _ = made(found.threshold, probabilities, has)
        assert hits / (hits + alarms) >= 0.6
        assert hits == max(fair)


def test_a_positive_without_any_probability_is_reached_too() -> None:
    has = [n < 8 for n in range(20)]
    probabilities = [0.0 if n in (0, 19) else 0.8 if h else 0.3 for n, h in enumerate(has)]
    found = choose(Wanted(recall=1.0), probabilities, has)
    assert found.threshold == 0.0
    task = Classify(labels=("bad", "ok"), several=False, thresholds={"bad": 0.0})
    assert task.given({"bad": 0.0, "ok": 1.0}) == ("bad",)


def test_too_few_rows_of_either_kind_choose_nothing() -> None:
    for positives in (0, LEAST - 1, 40 - LEAST + 1, 40):
        has = [n < positives for n in range(40)]
        found = choose(Wanted(recall=0.9), [0.9 if h else 0.1 for h in has], has)
        assert (found.why, found.threshold, found.positives) == ("too_few", 0.5, positives)


@pytest.mark.parametrize(
    "knobs",
    [
        {},
        {"miss": 1},
        {"false_alarm": 1, "miss": 1, "recall": 0.9},
        {"precision": 0.9, "recall": 0.9},
        {"miss": 0, "false_alarm": 0},
        {"recall": 1.5},
    ],
)
def test_what_is_wanted_is_said_in_one_way(knobs: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Wanted(**knobs)


def example(*labels: str) -> LabelledExample:
    return LabelledExample(id="1", where="1", text="x", labels=labels)


def test_thresholds_decide_what_is_given() -> None:
    several = Classify(labels=("a", "b"), several=True, thresholds={"a": 0.2})
    assert several.given({"a": 0.3, "b": 0.4}) == ("a",)
    one = Classify(
        labels=("ok", "bad", "worse"), several=False, thresholds={"bad": 0.2, "worse": 0.4}
    )
    assert one.given({"ok": 0.7, "bad": 0.25, "worse": 0.05}) == ("bad",)
    assert one.given({"ok": 0.85, "bad": 0.1, "worse": 0.05}) == ("ok",)
    assert one.given({"ok": 0.1, "bad": 0.3, "worse": 0.6}) == ("bad",)
    assert one.given({"ok": 0.1, "bad": 0.15, "worse": 0.75}) == ("worse",)


def test_labels_that_are_not_there_and_wishes_for_all_of_one_are_refused() -> None:
    watched = Classify(wanted_of={"bda": Wanted(recall=0.9)})
    with pytest.raises(AfinaError, match="no row has the label bda"):
        watched.resolve([example("ok"), example("bad")])
    with pytest.raises(AfinaError, match="one label here"):
        Classify(wanted=Wanted(recall=0.9)).resolve([example("ok"), example("bad")])
