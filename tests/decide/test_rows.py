"""Three sets of rows that share none; the sealed test stays shut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from afina.data import prepare
from afina.decide.rows import divide
from afina.errors import DataError
from afina.recipe.knobs import Data
from afina.tasks import Generate


def data(folder: Path, rows: int, groups: int = 0, **split: object) -> Data:
    lines = [
        {"prompt": f"question number {n}", "completion": f"answer {n * 7}"}
        | ({"family": f"f{n % groups}"} if groups else {})
        for n in range(rows)
    ]
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", "utf-8")
    if groups:
        split = {"by": "group", "column": "family", **split}
    return Data.model_validate({"train": str(folder / "rows.jsonl"), "split": split})


def test_no_row_is_in_two_sets_and_the_test_is_not_opened(tmp_path: Path) -> None:
    dataset = prepare(data(tmp_path, 200), Generate())
    rows = divide(dataset, 15, seed=7)
    sets = [{row.id for row in part} for part in (rows.train, rows.choice, rows.locked)]
    assert [len(s) for s in sets] == [len(dataset.train) - 24, 24, 15]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert sets[2] <= {row.id for row in dataset.validation}
    assert not any(s & set(dataset.test.ids) for s in sets)
    assert dataset.test.openings == ()
    assert rows.as_dict()["sealed_test"] == len(dataset.test)


def test_the_same_seed_locks_the_same_rows(tmp_path: Path) -> None:
    dataset = prepare(data(tmp_path, 200), Generate())
    one, same, other = (divide(dataset, 10, seed=s) for s in (7, 7, 8))
    assert one == same
    assert one.sha256 != other.sha256


def test_rows_of_a_group_stay_together(tmp_path: Path) -> None:
    dataset = prepare(data(tmp_path, 300, groups=30), Generate())
    rows = divide(dataset, 100, seed=7)
    groups = [{row.group for row in part} for part in (rows.train, rows.choice, rows.locked)]
    assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])
    assert len(rows.train) + len(rows.choice) == len(dataset.train)


@pytest.mark.parametrize(
    ("rows", "groups", "split", "says"),
    [
        (60, 0, {}, "validation rows are too few"),
        (60, 0, {"train": 0.1, "validation": 0.8, "test": 0.1}, "training rows are too few"),
        (
            90,
            3,
            {"train": 0.4, "validation": 0.3, "test": 0.3},
            "all training rows are of one group",
        ),
    ],
)
def test_too_few_rows_are_refused(
    tmp_path: Path, rows: int, groups: int, split: dict[str, object], says: str
) -> None:
    dataset = prepare(data(tmp_path, rows, groups, **split), Generate())
    with pytest.raises(DataError, match=says) as caught:
        divide(dataset, 100, seed=7)
    assert caught.value.where.startswith("data.")
