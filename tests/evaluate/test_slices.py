"""Slices: a planted weakness is found with its rate, chance is not called one, worst rows by id."""

from __future__ import annotations

import numpy as np
import pytest

from afina.evaluate import slices, worst
from afina.evaluate.finding import Finding
from afina.evaluate.slices import holm
from afina.recipe import Evaluate
from afina.tasks import Regress
from afina.types import Answer, LabelledExample, NumberExample
from tests.evaluate.candidates import CLASSIFY, LABELS, TEXT, chats, labelled
from tests.evaluate.materials import material, with_field

SETTINGS = Evaluate(resamples=400, slices=("region",))
REGIONS = ("north", "south", "east", "west")


def of_regions(seed: int, weak: float, rows: int = 400) -> Finding:
    """Answers that are right 85 of 100 times, in the west less often by ``weak``."""
    random = np.random.default_rng(seed)
    golds = [LABELS[i] for i in random.integers(0, 3, rows)]
    regions = [REGIONS[i] for i in random.integers(0, 4, rows)]
    given = []
    for gold, region in zip(golds, regions, strict=True):
        right = random.random() < 0.85 - (weak if region == "west" else 0.0)
        label = gold if right else LABELS[(LABELS.index(gold) + 1) % 3]
        given.append(Answer(label, (label,)))
    test = with_field(labelled(golds), "region", regions)
    found = slices.find(
        material(CLASSIFY, test, given, metric="macro_f1", settings=SETTINGS, seed=seed)
    )
    assert found is not None
    return found


def test_a_planted_weakness_is_found_and_chance_is_not() -> None:
    """60 tests each: 30 points worse in the west; and nowhere."""
    planted = [of_regions(seed, weak=0.3) for seed in range(60)]
    assert sum("west" in str(f.statements[0].values["names"]) for f in planted) >= 56
    assert all(f.alarm for f in planted if f.statements[0].code == "slices_worse")
    clean = [of_regions(seed, weak=0.0) for seed in range(100, 160)]
    assert sum(f.statements[0].code == "slices_worse" for f in clean) <= 8


def test_every_kind_of_slice_has_its_rows_and_its_interval() -> None:
    texts = ["the loan is not what I asked for", "¿dónde está mi tarjeta? no la tengo"] * 30
    golds = ["loan", "card"] * 30
    test = [
        LabelledExample(id=str(i), where=f"row {i}", text=text + " ok" * (i % 7), labels=(gold,))
        for i, (text, gold) in enumerate(zip(texts, golds, strict=True))
    ]
    given = [Answer(gold, (gold if i < 40 else "bill",)) for i, gold in enumerate(golds)]
    found = slices.find(material(CLASSIFY, test, given, metric="accuracy"))
    assert found is not None
    by = {(row["slice"], row["slice_value"]): row for row in found.rows}
    assert {"slice_length", "slice_language", "slice_label"} == {name for name, _ in by}
    assert by["slice_language", "en"]["rows"] == by["slice_language", "es"]["rows"] == 30
    assert by["slice_label", "card"]["own_score"]["value"] == pytest.approx(20 / 30)
    assert by["slice_label", "card"]["rest"] == pytest.approx(20 / 30)
    lengths = [row for row in found.rows if row["slice"] == "slice_length"]
    assert sum(row["rows"] for row in lengths) == 60
    assert all(row["own_score"]["low"] < row["own_score"]["high"] for row in found.rows)


def test_numbers_and_texts_are_sliced_by_their_own_measure() -> None:
    random = np.random.default_rng(5)
    task = Regress().settle(
        [NumberExample(id="a", where="", text="a", number=x) for x in (0.0, 9.0)]
    )
    rows = [NumberExample(id=str(i), where="", text="x", number=float(i % 9)) for i in range(200)]
    test = with_field(rows, "region", ["west" if i % 4 == 0 else "east" for i in range(200)])
    given = [
        Answer("", number=row.number + random.normal(0, 3.0 if i % 4 == 0 else 0.5))
        for i, row in enumerate(rows)
    ]
    found = slices.find(material(task, test, given, metric="pearson", settings=SETTINGS))
    assert found is not None
    assert found.statements[0].values["names"] == "west"
    assert found.statements[0].values["metric"] == "mae"
    answers = [Answer("question answered" if i % 2 else "no") for i in range(80)]
    chat = with_field(chats(["question answered"] * 80), "region", ["east", "west"] * 40)
    text = material(TEXT, chat, answers, metric="chrf", settings=SETTINGS)
    found = slices.find(text)
    assert found is not None
    assert found.statements[0].values["names"] == "east"


def test_holm_is_holm() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_the_worst_rows_are_those_with_the_largest_loss() -> None:
    golds = ["bill"] * 5
    sure = [0.9, 0.4, 0.01, 0.3, 0.8]
    given = [
        Answer("x", ("bill" if p > 0.5 else "card",), {"bill": p, "card": 1 - p, "loan": 0.0})
        for p in sure
    ]
    found = worst.find(material(CLASSIFY, labelled(golds), given, metric="accuracy"))
    assert found is not None
    assert [row["row"] for row in found.rows] == ["2", "3", "1"]
    assert found.rows[0]["where"] == "rows.csv: row 3"
    assert found.rows[0]["loss"] == pytest.approx(4.605, abs=1e-3)
    none = material(
        CLASSIFY, labelled(golds), given, metric="accuracy", settings=Evaluate(samples=0)
    )
    assert worst.find(none) is None


def test_the_worst_texts_are_those_with_the_lowest_score() -> None:
    given = [Answer("right answer"), Answer("xyz"), Answer("right")]
    found = worst.find(material(TEXT, chats(["right answer"] * 3), given, metric="chrf"))
    assert found is not None
    assert [row["row"] for row in found.rows] == ["1", "2"]
