"""The split: nothing crosses, order does not matter, every part gets its share."""

from __future__ import annotations

import json
import random
import string
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.data import Dataset, prepare
from afina.data.clean import item_of
from afina.data.content import normal_input
from afina.data.split import divide
from afina.errors import DataError
from afina.recipe.knobs import Data, Split
from afina.tasks import Classify, Generate
from afina.types import Example, LabelledExample

WORDS = [f"{a}{b}{c}" for a in "bcdfg" for b in "aeiou" for c in "lmnrs"]
THIRDS = {"train": 0.8, "validation": 0.1, "test": 0.1}


def disguise(text: str, dice: random.Random) -> str:
    """The same question in other clothes."""
    for change in dice.sample(("case", "space", "mark", "none"), 2):
        if change == "case":
            text = "".join(c.upper() if dice.random() < 0.5 else c for c in text)
        if change == "space":
            text = "  " + text.replace(" ", dice.choice(["  ", "\t", "\n", "\u00a0"])) + " "
        if change == "mark":
            text = (
                dice.choice(["¿", "", '"'])
                + text.replace(" ", dice.choice([", ", " - ", "; "]))
                + "?!"
            )
    return text


def planted_rows(seed: int) -> list[dict[str, Any]]:
    """Up to 60 rows of 2 to 5 labels; about a third is another row, exact or disguised."""
    dice = random.Random(seed)
    labels = string.ascii_lowercase[: dice.randint(2, 5)]
    rows: list[dict[str, Any]] = []
    for i in range(dice.randint(12, 60)):
        if rows and dice.random() < 0.35:
            twin = dice.choice(rows)
            text = twin["text"] if dice.random() < 0.3 else disguise(twin["text"], dice)
            label = twin["label"] if dice.random() < 0.8 else dice.choice(labels)
        else:
            text, label = (
                " ".join(dice.choices(WORDS, k=dice.randint(2, 6))) + f" n{i}",
                dice.choice(labels),
            )
        rows.append(
            {"text": text, "label": label, "g": dice.choice("uvwxyz"), "t": dice.randint(0, 10**9)}
        )
    rows += [{"text": f"first {n}", "label": n, "g": "u", "t": 1} for n in labels]
    return rows


def dataset(folder: Path, rows: list[dict[str, Any]], **split: Any) -> Dataset:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    return prepare(Data(train=str(file), split=Split(**split)), Classify())


def parts_of(data: Dataset) -> dict[str, tuple[Example, ...]]:
    return {"train": data.train, "validation": data.validation, "test": data.test.open("a test")}


def crossing(parts: dict[str, tuple[Example, ...]]) -> set[str]:
    inputs = {part: {normal_input(e) for e in rows} for part, rows in parts.items()}
    return (
        inputs["train"] & inputs["validation"]
        | inputs["train"] & inputs["test"]
        | inputs["validation"] & inputs["test"]
    )


BY: list[dict[str, Any]] = [
    {"by": "stratified"},
    {"by": "random"},
    {"by": "group", "column": "g"},
    {"by": "time", "column": "t"},
]


@pytest.mark.parametrize("seed", range(500))
def test_nothing_crosses_and_the_order_of_the_file_does_not_matter(
    seed: int, tmp_path: Path
) -> None:
    rows = planted_rows(seed)
    by = BY[seed % 4]
    try:
        found = dataset(tmp_path, rows, seed=seed, **by)
    except DataError as error:  # few groups may be joined to fewer than three
        assert by["by"] == "group" and "cannot fill 3 splits" in error.what
        return
    parts = parts_of(found)
    assert crossing(parts) == set()
    assert all(parts.values())
    kept = sum(len(p) for p in parts.values())
    assert kept + len(found.check.drops) == found.check.rows == len(rows)
    random.Random(seed + 1).shuffle(rows)
    other = parts_of(dataset(tmp_path, rows, seed=seed, **by))
    for part, examples in parts.items():
        assert {e.id for e in examples} == {e.id for e in other[part]}


def items(labels: list[str], prefix: str = "row") -> list[Any]:
    return [
        item_of(
            LabelledExample(
                id=f"{prefix}{i}", where="", text=f"{prefix} number {i}", labels=(label,)
            ),
            "train",
        )
        for i, label in enumerate(labels)
    ]


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
)
@settings(max_examples=150, deadline=None)
def test_strata_keep_their_proportion(sizes: list[int], seed: int) -> None:
    labels = [f"l{i}" for i, n in enumerate(sizes) for _ in range(n)]
    if len(labels) < 3:
        return
    division = divide(items(labels), Classify().stratum, Split(seed=seed), THIRDS)
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for label, part in zip(labels, division.parts, strict=True):
        counts[label][part] += 1
    assert set(division.parts) == set(THIRDS)
    for i, n in enumerate(sizes):
        got = counts[f"l{i}"]
        for part in ("validation", "test"):
            # at most the share rounded up; one more where a part would have stayed empty
            assert got[part] <= -(-n // 10) + 1
        assert got["train"] >= 1 or len(labels) < 2 * len(THIRDS)
    total = Counter(division.parts)
    if len(labels) >= 30 and min(sizes) >= 10:
        assert abs(total["test"] - len(labels) / 10) <= 1
        assert abs(total["validation"] - len(labels) / 10) <= 1


def test_the_seed_decides() -> None:
    rows = items(["a", "b"] * 100)
    one = divide(rows, Classify().stratum, Split(seed=1), THIRDS).parts
    assert one == divide(rows, Classify().stratum, Split(seed=1), THIRDS).parts
    assert one != divide(rows, Classify().stratum, Split(seed=2), THIRDS).parts


def test_removing_a_row_moves_few_others() -> None:
    rows = items(["a"] * 500)
    before = divide(rows, Classify().stratum, Split(), THIRDS).parts
    after = divide(rows[1:], Classify().stratum, Split(), THIRDS).parts
    moved = sum(a != b for a, b in zip(before[1:], after, strict=True))
    assert moved <= 3


@pytest.mark.parametrize("rows", [3, 4, 5, 7])
def test_tiny_sets_give_every_part_a_row(rows: int) -> None:
    labels = ["a", "b"] * rows
    division = divide(items(labels[:rows]), Classify().stratum, Split(), THIRDS)
    assert set(division.parts) == set(THIRDS)


@pytest.mark.parametrize("rows", [1, 2])
def test_too_few_rows_are_an_error_that_says_how_many(rows: int) -> None:
    with pytest.raises(DataError, match="at least 3 are needed") as caught:
        divide(items(["a"] * rows), Classify().stratum, Split(), THIRDS)
    assert "validation: 0" in caught.value.do


def test_small_classes_are_named() -> None:
    division = divide(items(["a"] * 40 + ["rare"]), Classify().stratum, Split(), THIRDS)
    assert any("1 class has fewer than 3 different inputs (rare)" in n for n in division.notes)
    assert division.parts[40] == "train"


def test_whole_groups(tmp_path: Path) -> None:
    rows = [
        {"text": f"row {i}", "label": "ab"[i % 2], "who": f"person {i // 5}"} for i in range(200)
    ]
    found = dataset(tmp_path, rows, by="group", column="who")
    parts = parts_of(found)
    groups = {part: {e.group for e in rows} for part, rows in parts.items()}
    assert not groups["train"] & groups["validation"]
    assert not groups["train"] & groups["test"]
    assert not groups["validation"] & groups["test"]
    assert 15 <= len(parts["test"]) <= 25
    assert 15 <= len(parts["validation"]) <= 25


def test_every_stratum_with_two_groups_is_learned(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}", "label": f"l{i % 10}", "who": f"p{i // 2}"} for i in range(40)]
    found = dataset(tmp_path, rows, by="group", column="who")
    learned = {e.labels for e in found.train if isinstance(e, LabelledExample)}
    assert learned == {(f"l{i}",) for i in range(10)}


def test_two_groups_cannot_fill_three_splits(tmp_path: Path) -> None:
    rows = [{"text": f"row {i}", "label": "ab"[i % 2], "who": f"p{i % 2}"} for i in range(40)]
    with pytest.raises(DataError, match="2 groups cannot fill 3 splits"):
        dataset(tmp_path, rows, by="group", column="who")


def test_the_newest_rows_judge(tmp_path: Path) -> None:
    rows = [
        {
            "text": f"row {i}",
            "label": "ab"[i % 2],
            "at": f"2026-01-{1 + i % 28:02}T{i % 24:02}:00:00",
        }
        for i in range(100)
    ]
    found = dataset(tmp_path, rows, by="time", column="at")
    parts = parts_of(found)
    newest = {part: max(e.time or "" for e in rows) for part, rows in parts.items()}
    oldest = {part: min(e.time or "" for e in rows) for part, rows in parts.items()}
    assert newest["train"] <= oldest["validation"]
    assert newest["validation"] <= oldest["test"]
    assert len(parts["test"]) == len(parts["validation"]) == 10


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("2026-01-31", "2026-01-31T00:00:00.000000+00:00"),
        ("2026-01-31T10:00:00+01:00", "2026-01-31T09:00:00.000000+00:00"),
        ("2026-01-31 10:00", "2026-01-31T10:00:00.000000+00:00"),
        ("20260131", "2026-01-31T00:00:00.000000+00:00"),
        (1769853600, "2026-01-31T10:00:00.000000+00:00"),
        (1769853600000, "2026-01-31T10:00:00.000000+00:00"),
    ],
)
def test_times_are_compared_in_utc(given: Any, stored: str, tmp_path: Path) -> None:
    rows = [{"text": f"row {i}", "label": "ab"[i % 2], "at": given} for i in range(6)]
    assert dataset(tmp_path, rows, by="time", column="at").train[0].time == stored


@pytest.mark.parametrize(("value", "what"), [("31/12/2026", "is no time"), (None, "is no time")])
def test_what_is_no_time(value: Any, what: str, tmp_path: Path) -> None:
    rows = [{"text": "a", "label": "b", "at": value}]
    with pytest.raises(DataError, match=what) as caught:
        dataset(tmp_path, rows, by="time", column="at")
    assert caught.value.where == "rows.jsonl: row 1, column at"
    with pytest.raises(DataError, match="no column is called 'moment'"):
        dataset(tmp_path, rows, by="time", column="moment")
    with pytest.raises(DataError, match="is no group"):
        dataset(tmp_path, [{"text": "a", "label": "b", "at": " "}], by="group", column="at")


def test_json_answers_are_split_by_their_first_field(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    rows = [
        {"prompt": f"do {i}", "completion": json.dumps({"intent": f"i{i % 4}", "n": i})}
        for i in range(80)
    ]
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = prepare(Data(train=str(file)), Generate())
    intents = Counter(Generate(answer="json").stratum(e) for e in found.test.open("a test"))
    assert intents == {f"i{n}": 2 for n in range(4)}
    assert found.check.balance is not None
    assert found.check.balance.counts == {f"i{n}": 20 for n in range(4)}
