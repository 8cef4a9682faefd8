"""Near duplicates: found among real and made rows, never in two splits, and what the knob does."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.data import Dataset, prepare
from afina.data.content import normal_input, normalise
from afina.data.near import SIMILARITY, near_pairs
from afina.data.shingles import LENGTH, shingles
from afina.errors import DataError
from afina.recipe.knobs import Data, Split
from afina.tasks import Classify, Generate
from afina.types import Example
from tests.data.planted import SHARED, Rows, banking, made, reworded


def plain_similarity(one: str, other: str) -> float:
    """Jaccard similarity of character windows, as the textbook has it."""
    first, second = (
        {t[i : i + LENGTH] for i in range(max(1, len(t) - LENGTH + 1))}
        for t in (one.ljust(LENGTH), other.ljust(LENGTH))
    )
    return len(first & second) / len(first | second)


def write(file: Path, rows: Rows) -> str:
    file.write_text("".join(json.dumps({"text": t, "label": n}) + "\n" for t, n in rows))
    return str(file)


def source(name: str) -> Rows:
    if name == "made":
        return made(2000)
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")
    return banking()


def parts_of(data: Dataset) -> dict[str, tuple[Example, ...]]:
    return {"train": data.train, "validation": data.validation, "test": data.test.open("a test")}


@given(st.lists(st.text(max_size=30), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_shingles_are_those_of_each_text_alone(texts: list[str]) -> None:
    together = shingles(texts).sets()
    assert together == [shingles([text]).sets()[0] for text in texts]
    counts = [len({t[i : i + LENGTH] for i in range(max(1, len(t) - LENGTH + 1))}) for t in texts]
    assert [len(s) for s in together] == counts


@pytest.mark.parametrize("name", ["made", "banking77"])
def test_planted_copies_are_found_and_nothing_else(name: str) -> None:
    """Recall at least 0.98 of the pairs that are near by the textbook; no false alarm."""
    dice = random.Random(3)
    texts = [normalise(t) for t, _ in source(name)]
    planted = [(t, normalise(reworded(t, dice))) for t in dice.sample(texts, 400)]
    near = {tuple(sorted(p)) for p in planted if SIMILARITY <= plain_similarity(*p) < 1}
    assert len(near) > 150
    every = sorted({*texts, *(copy for _, copy in planted)})
    pairs = near_pairs(every)
    found = {(every[p.first], every[p.second]) for p in pairs}
    assert len(near & found) / len(near) >= 0.98
    assert all(plain_similarity(*pair) >= SIMILARITY for pair in found)
    for pair in pairs[:50]:
        exact = plain_similarity(every[pair.first], every[pair.second])
        assert pair.similarity == pytest.approx(exact)


def test_every_near_pair_of_a_sample_is_found() -> None:
    """Against all pairs, compared one by one."""
    dice = random.Random(11)
    texts = [t for t, _ in made(150)]
    texts = sorted({*texts, *(reworded(t, dice) for t in texts for _ in range(2))})
    true = {
        (i, j)
        for j in range(len(texts))
        for i in range(j)
        if plain_similarity(texts[i], texts[j]) >= SIMILARITY
    }
    found = {(p.first, p.second) for p in near_pairs(texts)}
    assert found <= true
    assert len(found) >= 0.98 * len(true) > 100


@pytest.mark.parametrize("name", ["made", "banking77"])
def test_planted_copies_never_cross_a_split(name: str, tmp_path: Path) -> None:
    dice = random.Random(4)
    rows = source(name)
    copies = [(reworded(text, dice), label) for text, label in dice.sample(rows, 300)]
    file = write(tmp_path / "rows.jsonl", rows + copies)
    found = prepare(Data(train=file), Classify())
    near = found.check.near_duplicates
    assert (near.handling, near.chosen) == ("group", False)
    assert near.across == {"validation": 0, "test": 0}
    inputs = {part: [normal_input(e) for e in some] for part, some in parts_of(found).items()}
    held_out = {*inputs["validation"], *inputs["test"]}
    texts = sorted({*inputs["train"], *held_out})
    crossing = [
        pair
        for pair in near_pairs(texts)
        if (texts[pair.first] in held_out) != (texts[pair.second] in held_out)
    ]
    assert crossing == []
    shares = [len(some) / found.check.kept for some in inputs.values()]
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.01)
    kept = prepare(Data(train=file, near_duplicates="keep"), Classify()).check.near_duplicates
    assert kept.across["test"] > 20
    assert (kept.rows, kept.groups, kept.pairs) == (near.rows, near.groups, near.pairs)


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    dice = random.Random(6)
    rows = made(300)
    rows += [(reworded(text, dice), label) for text, label in rows[:60]]
    first = prepare(Data(train=write(tmp_path / "a.jsonl", rows)), Classify())
    second = prepare(Data(train=write(tmp_path / "b.jsonl", rows[::-1])), Classify())
    assert first.check.near_duplicates.rows == second.check.near_duplicates.rows > 60
    assert {e.id for e in first.train} == {e.id for e in second.train}
    assert first.test.sha256 == second.test.sha256


def test_rows_near_to_a_test_file_are_taken_out_of_train(tmp_path: Path) -> None:
    dice = random.Random(8)
    rows, held = made(400), made(80, seed=99)
    leaked = [(reworded(text, dice), label) for text, label in held[:40]]
    near = [
        row
        for row, (text, _) in zip(leaked, held, strict=False)
        if SIMILARITY <= plain_similarity(normalise(row[0]), normalise(text)) < 1
    ]
    assert len(near) > 15
    files: dict[str, Any] = {
        "train": write(tmp_path / "a.jsonl", rows + near),
        "test": write(tmp_path / "t.jsonl", held),
    }
    given = prepare(Data(**files), Classify())
    assert given.check.dropped == {}
    assert given.check.near_duplicates.handling == "keep"
    found = prepare(Data(near_duplicates="group", **files), Classify())
    assert found.check.dropped == {"near_test": len(near)}
    assert all(d.instead.startswith("t.jsonl: row ") for d in found.check.drops)
    assert f"{len(near)} that are near duplicates of rows of test" in found.split_description
    whole = Split(train=1, validation=0, test=0)
    kept = prepare(Data(near_duplicates="keep", split=whole, **files), Classify())
    assert kept.check.dropped == {}
    assert kept.check.near_duplicates.across["test"] == len(near)
    assert kept.fingerprint != found.fingerprint


def test_dropped_are_only_those_with_the_same_answer(tmp_path: Path) -> None:
    text = "please tell me why the parcel for my neighbour is late again"
    rows = [
        *made(100),
        (text, "late"),
        (text + " now", "late"),
        (text.replace("please", "pleese"), "late"),
        (text + " ok", "broken"),
    ]
    found = prepare(
        Data(train=write(tmp_path / "a.jsonl", rows), near_duplicates="drop"), Classify()
    )
    assert found.check.dropped == {"near_duplicate": 2}
    stay = {normal_input(e) for some in parts_of(found).values() for e in some}
    assert normalise(text + " ok") in stay
    where = {w for d in found.check.drops for w in (d.where, d.instead)}
    assert where == {f"a.jsonl: row {n}" for n in (101, 102, 103)}


def test_written_answers_count_too(tmp_path: Path) -> None:
    ask, say = "what is the way to the old harbour of the town", "go down the hill and turn left at"
    rows = [{"prompt": f"{t} {i}", "completion": t} for i, (t, _) in enumerate(made(40))]
    rows += [
        {"prompt": ask, "completion": f"{say} the church"},
        {"prompt": ask + "?!", "completion": f"{say} the church."},
        {"prompt": ask + " please", "completion": f"{say} the church"},
        {"prompt": "so " + ask, "completion": "nobody knows that"},
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    found = prepare(Data(train=str(file), near_duplicates="drop"), Generate())
    assert found.check.dropped == {"near_duplicate": 2}


def test_rows_made_from_one_pattern_are_not_held_together(tmp_path: Path) -> None:
    rows = [
        (f"please tell me about order number {i}, it is late again", "ab"[i % 2]) for i in range(60)
    ]
    file = write(tmp_path / "a.jsonl", rows)
    found = prepare(Data(train=file), Classify())
    near = found.check.near_duplicates
    assert (near.handling, near.largest) == ("keep", 60)
    assert "rows made from patterns" in " ".join(near.reason.split())
    assert [len(p) for p in parts_of(found).values()] == [48, 6, 6]
    assert near.across["test"] == 6
    split = Split(train=0.8, validation=0, test=0.2)
    with pytest.raises(DataError, match="1 different input cannot fill 2 splits") as caught:
        prepare(Data(train=file, near_duplicates="group", split=split), Classify())
    assert "leave data.near_duplicates out" in caught.value.do


def test_what_is_written_and_shown(tmp_path: Path) -> None:
    rows = made(60)
    file = write(tmp_path / "a.jsonl", [*rows, (rows[0][0] + " ok", rows[0][1])])
    found = prepare(Data(train=file), Classify())
    shown = found.check.as_dict()["near_duplicates"]
    assert (shown["pairs"], shown["groups"], shown["rows"]) == (1, 1, 2)
    assert shown["examples"][0]["where"] == ["a.jsonl: row 1", "a.jsonl: row 61"] or (
        shown["examples"][0]["where"] == ["a.jsonl: row 61", "a.jsonl: row 1"]
    )
    assert "near duplicates" in found.split_description
