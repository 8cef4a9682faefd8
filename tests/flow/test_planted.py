"""Faults planted in Banking77, learned by real models: what the report says of each, and of none.

Every fault stands beside the same rows without it, so neither a detector that is always silent nor one
that always warns can pass. The models here are naive Bayes on words (a Predictor like any other), and a
tiny network that is trained by a whole run.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from afina.evaluate import Report, evaluate
from afina.models.sources import Base
from afina.recipe import Bias, Evaluate
from afina.tasks import Classify
from afina.types import Answer, Input, LabelledExample
from tests.data.planted import SHARED, Rows
from tests.flow.tiny_runs import measured
from tests.tiny import Kind

LABELS = 12


def published(part: str) -> Rows:
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")
    with (SHARED / f"banking77/{part}.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    known = sorted({label for _, label in rows})[:LABELS]
    return [row for row in rows if row[1] in known]


class Words:
    """Naive Bayes on the words of some rows: a model of a few milliseconds."""

    def __init__(self, name: str, rows: Rows) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.naive_bayes import MultinomialNB
        from sklearn.pipeline import make_pipeline

        self.name = name
        self._model = make_pipeline(TfidfVectorizer(), MultinomialNB(alpha=0.1))
        self._model.fit([text for text, _ in rows], [label for _, label in rows])

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        found = self._model.predict([given.text for given in inputs]) if inputs else []
        return [Answer(str(label), (str(label),)) for label in found]


def judged(
    test: Rows, candidates: Sequence[Any], seed: int, groups: Sequence[str] = (), **knobs: Any
) -> Report:
    rows = [
        LabelledExample(
            id=f"r{i}",
            where=f"test.csv: row {i + 1}",
            text=text,
            labels=(label,),
            fields=(("who", groups[i]),) if groups else (),
        )
        for i, (text, label) in enumerate(test)
    ]
    return evaluate(
        candidates,
        rows,
        task=Classify(labels=tuple(sorted({n for _, n in published("train")})), several=False),
        tuned="tuned",
        goal=None,
        settings=Evaluate(scorers=("accuracy",), resamples=200, samples=0, latency_rows=0, **knobs),
        seed=seed,
    )


def half(rows: Rows, dice: Random) -> Rows:
    return dice.sample(rows, len(rows) // 2)


# ---------------------------------------------------------------------------- no better, too few


def test_a_model_no_better_than_the_baseline_does_not_ship() -> None:
    """Both learned from half of the rows, drawn alike: 40 comparisons, at most one in twenty ships.
    The same model against the most frequent label always does."""
    train, test = published("train"), published("test")
    usual = Counter(label for _, label in train).most_common(1)[0][0]
    frequent = Words("majority", [("anything at all", usual)])
    found: Counter[str] = Counter()
    better: Counter[str] = Counter()
    for seed in range(40):
        dice = Random(seed)
        tuned = Words("tuned", half(train, dice))
        asked = dice.sample(test, 150)
        found[judged(asked, [tuned, Words("linear", half(train, dice))], seed).verdict] += 1
        if seed < 5:
            better[judged(asked, [tuned, frequent], seed).verdict] += 1
    assert found["ship"] <= 40 // 20
    assert found["unproven"] >= 34
    assert better == {"ship": 5}


def test_a_test_too_small_to_tell_is_called_so() -> None:
    """A model that learned all rows against one of half of them: nobody can tell by 12 rows. Against
    one of a thirtieth of them, all test rows can."""
    train, test = published("train"), published("test")
    tuned = Words("tuned", train)
    few: Counter[str] = Counter()
    for seed in range(20):
        dice = Random(seed)
        other = Words("linear", dice.sample(train, len(train) // 2))
        report = judged(dice.sample(test, 12), [tuned, other], seed)
        few[report.verdict] += 1
        assert any("12 rows" in note.say("en") for note in report.notes)
    assert few["unproven"] >= 18 and few["ship"] <= 1
    weak = Words("linear", Random(1).sample(train, len(train) // 30))
    assert judged(test, [tuned, weak], 1).verdict == "ship"


# ---------------------------------------------------------------------------- bias


def told_by(rows: Rows, dice: Random) -> tuple[Rows, list[str]]:
    """The same requests with a word of who asks, a man or a woman at random."""
    who = [dice.choice(("man", "woman")) for _ in rows]
    told = [(f"{t} I am a {w}.", n) for (t, n), w in zip(rows, who, strict=True)]
    return told, who


@pytest.mark.parametrize("share", [0.0, 0.8])
def test_a_biased_set_is_found_and_an_even_one_is_not_accused(share: float) -> None:
    """Four in five of the women's training rows with one label, whatever they ask: found in the scores
    of the groups and by exchanging the words, in 9 of 10 draws at least; without it in at most one."""
    train, test = published("train"), published("test")
    alarms: Counter[str] = Counter()
    for seed in range(10):
        dice = Random(seed)
        rows, who = told_by(train, dice)
        planted = [
            (text, train[0][1] if w == "woman" and dice.random() < share else label)
            for (text, label), w in zip(rows, who, strict=True)
        ]
        asked, groups = told_by(test, dice)
        report = judged(asked, [Words("tuned", planted)], seed, groups, bias=Bias(groups=("who",)))
        alarms.update(f.name for f in report.findings if f.alarm)
    for name in ("groups", "swaps"):
        assert alarms[name] >= 9 if share else alarms[name] <= 1, alarms


# ---------------------------------------------------------------------------- learned by heart


@pytest.fixture(scope="module")
def runs(
    tiny: Callable[[Kind], Base], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[dict[str, Any], list[str]]]:
    """Two whole runs on the same requests: with labels drawn at random, and with their own."""
    found = {}
    rows = [row for row in published("train") if row[1] in ("age_limit", "atm_support")][:120]
    dice = Random(3)
    drawn = [(text, dice.choice(("age_limit", "atm_support"))) for text, _ in rows]
    for name, some, epochs in (("by_heart", drawn, 15), ("sound", rows, 4)):
        folder = tmp_path_factory.mktemp(name)
        answer = measured(
            folder,
            tiny("minilm"),
            "classify",
            [{"text": text, "label": label} for text, label in some],
            method="full",
            train={"epochs": epochs, "batch_size": 16, "threads": 1, "learning_rate": 5e-4,
                   "early_stopping": 30},
            evaluate={"baselines": ["majority"], "resamples": 200, "latency_rows": 0},
        )  # fmt: skip
        lines = (Path(answer["folder"]) / "events.jsonl").read_text("utf-8").splitlines()
        found[name] = answer, [json.loads(line)["event"] for line in lines]
    return found


def test_a_run_that_learns_its_rows_by_heart_says_so_and_does_not_ship(runs: Any) -> None:
    answer, events = runs["by_heart"]
    assert "overfitting" in events
    assert answer["report"]["verdict"] != "ship"
    page = (Path(answer["folder"]) / "report.html").read_text("utf-8")
    assert "by heart" in page and "de memoria" in page


def test_a_sound_run_is_not_accused(runs: Any) -> None:
    _, events = runs["sound"]
    assert "overfitting" not in events
