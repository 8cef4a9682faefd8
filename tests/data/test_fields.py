"""Columns that a report is sliced by stay beside the rows, and change nothing of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from afina.data.dataset import prepare
from afina.data.reading import read
from afina.errors import DataError
from afina.recipe import Data
from afina.tasks import Classify
from afina.types import LabelledExample

ACCEPTS = (LabelledExample,)


def file_of(folder: Path, name: str = "rows.csv") -> Path:
    path = folder / name
    lines = [f"door {i} {name},{'ab'[i % 2]},{('north', 'south', '')[i % 3]}" for i in range(30)]
    path.write_text("text,label,region\n" + "\n".join(lines) + "\n", "utf-8")
    return path


def test_a_column_stays_beside_the_row_and_is_no_part_of_it(tmp_path: Path) -> None:
    path = str(file_of(tmp_path))
    plain = read(path, accepts=ACCEPTS)
    sliced = read(path, accepts=ACCEPTS, fields=("region",))
    assert [row.fields for row in sliced.examples[:3]] == [
        (("region", "north"),),
        (("region", "south"),),
        (("region", ""),),
    ]
    assert plain.examples == sliced.examples
    assert [row.id for row in plain.examples] == [row.id for row in sliced.examples]
    assert any("region" in note for note in plain.notes)
    assert not any("region" in note for note in sliced.notes)


def test_a_column_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column is called 'regoin'") as caught:
        read(str(file_of(tmp_path)), accepts=ACCEPTS, fields=("regoin",))
    assert "region" in caught.value.do


def test_only_the_file_of_the_test_needs_the_column(tmp_path: Path) -> None:
    train = tmp_path / "train.csv"
    train.write_text("text,label\n" + "".join(f"gate {i},{'ab'[i % 2]}\n" for i in range(40)))
    data = Data(train=str(train), test=str(file_of(tmp_path)))
    dataset = prepare(data, Classify(), fields=("region",))
    assert {dict(row.fields)["region"] for row in dataset.test.open("a test")} >= {"north", "south"}
    assert all(row.fields == () for row in dataset.train)
