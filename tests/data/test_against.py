"""Drift: real moves are seen, halves of one set are not called different."""

from __future__ import annotations

import csv
import random
from itertools import pairwise
from pathlib import Path

import pytest

from afina.data import against
from afina.data.against import Comparison, compare
from afina.data.findings import Placed
from afina.errors import DataError
from afina.types import LabelledExample
from tests.data.planted import SHARED, Rows, banking, made


def labelled(rows: Rows) -> list[Placed]:
    return [
        Placed(LabelledExample(id=f"r{i}", where=f"a: row {i}", text=t, labels=(n,)), "train")
        for i, (t, n) in enumerate(rows)
    ]


def source(name: str) -> Rows:
    if name == "made":
        return made(1200)
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")
    return banking(12)


def drifted(found: Comparison) -> set[str]:
    return {measure.name for measure in found.measures if measure.drifted}


@pytest.mark.parametrize("name", ["made", "banking77"])
def test_halves_of_one_set_are_alike(name: str) -> None:
    """Of 20 divisions at random, none is called drift."""
    rows = source(name)
    for seed in range(20):
        mixed = random.Random(seed).sample(rows, len(rows))
        half = len(mixed) // 2
        found = compare(labelled(mixed[:half]), [t for t, _ in mixed[half:]], seed)
        assert drifted(found) == set(), (seed, found.measures)


@pytest.mark.parametrize("name", ["made", "banking77"])
def test_each_move_is_seen(name: str) -> None:
    rows = source(name)
    mixed = random.Random(1).sample(rows, len(rows))
    half = len(mixed) // 2
    ours, theirs = labelled(mixed[:half]), mixed[half:]
    names = sorted({n for _, n in rows})
    few = [t for t, n in theirs if n in names[: len(names) // 3]]
    assert "labels" in drifted(compare(ours, few))
    long = [f"{t} {u}" for (t, _), (u, _) in pairwise(theirs)]
    assert "length" in drifted(compare(ours, long))
    spanish = ["quiero saber dónde está mi tarjeta nueva, por favor"] * (len(theirs) // 5)
    moved = compare(ours, [t for t, _ in theirs] + spanish)
    assert {"languages", "words"} <= drifted(moved)
    assert dict(moved.new_words)["tarjeta"] == len(spanish)
    assert moved.unseen > 0.1


def test_a_drawn_part_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "MOST_ROWS", 40)
    rows = labelled(made(100))
    found = compare(rows, [text for text, _ in made(60, seed=5)]).as_dict()
    assert (found["rows"], found["of_rows"]) == (40, 100)
    assert (found["sample"], found["of_sample"]) == (40, 60)


def test_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="3 rows of the sample are too few"):
        compare(labelled(made(100)), ["a", "b", "c"])


def test_the_command(tmp_path: Path) -> None:
    from tests.cli.conftest import json_of
    from tests.tiny import maker

    base = maker(tmp_path / "tiny")("minilm").folder
    rows = made(120)
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([("text", "label"), *rows])
    (tmp_path / "r.yaml").write_text(f"task: classify\nbase: {base}\ndata: {{train: a.csv}}\n")
    sample = tmp_path / "log.txt"
    sample.write_text("\n".join("quiero saber dónde está mi pedido" for _ in range(60)))
    code, answer = json_of(["check", str(tmp_path / "r.yaml"), "--against", str(sample)])
    assert code == 0
    assert answer["against"]["drifted"] is True
    assert answer["against"]["sample"] == 60
