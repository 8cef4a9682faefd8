"""Calibration: planted overconfidence is found, a calibrated model is left alone, as often as told."""

from __future__ import annotations

import numpy as np
import pytest

from afina.evaluate.calibration import bin_edges, ece, find
from afina.tasks import Classify, Score
from afina.types import Answer, Message, PreferenceExample
from tests.evaluate.candidates import CLASSIFY, LABELS, labelled
from tests.evaluate.materials import material

TWO = Classify(labels=("no", "yes"), several=False)


def says(sure: np.ndarray, right: np.ndarray) -> tuple[list[str], list[Answer]]:
    """Right labels, and answers ``yes`` with these probabilities that are right where told."""
    golds = ["yes" if hit else "no" for hit in right]
    answers = [Answer("yes", ("yes",), {"yes": float(p), "no": 1 - float(p)}) for p in sure]
    return golds, answers


def found(rows: int, seed: int, excess: float = 0.0) -> dict[str, object]:
    """What is found of a model that is right ``excess`` less often than it says."""
    random = np.random.default_rng(seed)
    sure = random.uniform(0.6, 0.99, rows)
    golds, answers = says(sure, random.random(rows) < sure - excess)
    finding = find(material(TWO, labelled(golds), answers, metric="accuracy", seed=seed))
    assert finding is not None
    return {**finding.rows[0], "code": finding.statements[0].code, "alarm": finding.alarm}


def test_the_error_is_that_of_the_definition() -> None:
    sure = np.array([[0.9, 0.6, 0.7, 0.8]])
    assert ece(sure, np.array([[1.0, 0.0, 1.0, 1.0]]))[0] == pytest.approx(0.0)
    assert ece(sure, np.zeros((1, 4)))[0] == pytest.approx(0.75)
    many = np.concatenate([np.full((1, 40), 0.6), np.full((1, 40), 0.9)], axis=1)
    right = np.concatenate([np.ones((1, 40)), np.zeros((1, 40))], axis=1)
    assert list(bin_edges(80)) == [0, 20, 40, 60, 80]
    assert ece(many, right)[0] == pytest.approx((0.4 + 0.9) / 2)


def test_brier_is_the_squared_distance_from_the_truth() -> None:
    answers = [Answer("bill", ("bill",), {"bill": 0.8, "card": 0.1, "loan": 0.1})] * 40
    finding = find(material(CLASSIFY, labelled(["bill", "card"] * 20), answers, metric="accuracy"))
    assert finding is not None
    right, wrong = 0.04 + 0.01 + 0.01, 0.64 + 0.81 + 0.01
    assert finding.rows[0]["brier"] == pytest.approx((right + wrong) / 2)
    assert finding.rows[0]["share_right"] == 0.5
    assert sum(each["rows"] for each in finding.more["bins"]) == 40


def test_overconfidence_is_found_and_calibration_is_not_called_wrong() -> None:
    """60 tests each: planted by 10 points it is found nearly always; else seldom seen."""
    planted = [found(400, seed, excess=0.1) for seed in range(60)]
    assert sum(f["code"] == "overconfident" for f in planted) >= 56
    clean = [found(400, seed) for seed in range(100, 160)]
    assert sum(bool(f["alarm"]) for f in clean) <= 8  # 3 expected; more than 8: once in 200 times


def test_the_interval_holds_the_true_error_about_as_often_as_it_says() -> None:
    """Where a model is right 10 points less often than it says, the true error is 10 points."""
    inside = 0
    for seed in range(60):
        cell = found(300, seed, excess=0.1)["ece"]
        assert isinstance(cell, dict)
        inside += cell["low"] <= 0.1 <= cell["high"]
    assert inside >= 52


def test_several_labels_are_several_statements() -> None:
    task = Classify(labels=LABELS, several=True)
    answers = [Answer("bill", ("bill",), {"bill": 1.0, "card": 0.0, "loan": 0.0})] * 60
    finding = find(material(task, labelled([("bill",)] * 60), answers, metric="macro_f1"))
    assert finding is not None
    assert finding.rows[0]["ece"]["value"] == 0.0
    assert finding.rows[0]["brier"] == 0.0
    assert sum(each["rows"] for each in finding.more["bins"]) == 180


def test_a_reward_models_scores_are_log_odds() -> None:
    random = np.random.default_rng(3)
    leads = random.normal(0, 1, 600)
    right = random.random(600) < 1 / (1 + np.exp(-leads))
    pairs = [(0.0, lead) if hit else (lead, 0.0) for lead, hit in zip(leads, right, strict=True)]
    rows = [
        PreferenceExample(
            id=str(i),
            where=f"row {i}",
            prompt=(Message("user", "q"),),
            chosen=(Message("assistant", "a"),),
            rejected=(Message("assistant", "b"),),
        )
        for i in range(600)
    ]
    answers = [Answer("")] * 600
    given = {"metric": "preference_accuracy", "preferences": pairs}
    finding = find(material(Score(), rows, answers, **given))
    assert finding is not None
    assert finding.statements[0].code == "calibrated"
    steep = {**given, "preferences": [(5 * a, 5 * b) for a, b in pairs]}
    finding = find(material(Score(), rows, answers, **steep))
    assert finding is not None
    assert finding.statements[0].code == "overconfident"


def test_without_probabilities_nothing_is_said() -> None:
    answers = [Answer("bill", ("bill",))] * 40
    assert find(material(CLASSIFY, labelled(["bill"] * 40), answers, metric="accuracy")) is None
