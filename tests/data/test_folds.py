"""Folds: every open row is measured once, nothing crosses, the sealed rows are in none of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from afina.data import Dataset, prepare
from afina.data.content import normal_input
from afina.data.folds import folds
from afina.errors import DataError
from afina.recipe.knobs import Data, Split
from afina.tasks import Classify

TASK = Classify()
WORDS = ("kitchen", "garage", "garden", "window", "candle", "mirror", "carpet", "ladder")


def written(folder: Path, split: Split, *, groups: int = 12) -> tuple[Dataset, Data]:
    """90 different rows of three labels, each of them a second time in other clothes."""
    lines = ["text,label,who,day"]
    for n in range(90):
        text = f"{WORDS[n % 8]} {WORDS[(n // 8) % 8]} number {n * n} and {n}"
        label = "abc"[n % 3 if n % 10 else 0]
        for own in (text, text.upper() + "!"):
            lines.append(f"{own},{label},{n % groups},2024-01-{1 + n % 28:02d}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n", "utf-8")
    data = Data(train=str(folder / "rows.csv"), split=split)
    return prepare(data, TASK), data


@pytest.mark.parametrize("count", [2, 5, 10])
@pytest.mark.parametrize("by", ["stratified", "random", "group"])
def test_each_open_row_is_measured_once_and_no_input_crosses(
    tmp_path: Path, by: str, count: int
) -> None:
    split = Split(by=by, column="who" if by == "group" else None)  # type: ignore[arg-type]
    dataset, data = written(tmp_path, split)
    made = folds(dataset, data, TASK, count)
    assert len(made) == count
    pool = sorted(e.id for e in (*dataset.train, *dataset.validation))
    assert sorted(name for fold in made for name in fold.test.ids) == pool
    sealed = set(dataset.test.ids)
    for fold in made:
        held = fold.test.open(by="a test of the folds")
        seen = (*fold.train, *fold.validation)
        assert sorted([*(e.id for e in seen), *(e.id for e in held)]) == pool
        assert not {normal_input(e) for e in held} & {normal_input(e) for e in seen}
        assert not {normal_input(e) for e in fold.train} & {
            normal_input(e) for e in fold.validation
        }
        assert not sealed & {e.id for e in (*seen, *held)}
        if by == "group":
            assert not {e.group for e in held} & {e.group for e in seen}
            assert not {e.group for e in fold.train} & {e.group for e in fold.validation}
    assert dataset.test.openings == ()


def test_strata_and_sizes_are_even(tmp_path: Path) -> None:
    dataset, data = written(tmp_path, Split())
    made = folds(dataset, data, TASK, 5)
    sizes = [len(fold.test) for fold in made]
    assert max(sizes) - min(sizes) <= 4
    for label in "abc":
        held = [sum(label in e.labels for e in f.test.open(by="a test")) for f in made]  # type: ignore[attr-defined]
        assert max(held) - min(held) <= 4
    assert len({fold.fingerprint for fold in made}) == 5


def test_the_seed_decides_and_the_order_of_the_file_does_not(tmp_path: Path) -> None:
    dataset, data = written(tmp_path, Split())
    ids = [fold.test.ids for fold in folds(dataset, data, TASK, 4)]
    rows = (tmp_path / "rows.csv").read_text("utf-8").splitlines()
    texts = [Counter(normal_input(e) for e in f.test.open(by="a test"))
             for f in folds(dataset, data, TASK, 4)]  # fmt: skip
    (tmp_path / "rows.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n", "utf-8")
    turned = [Counter(normal_input(e) for e in f.test.open(by="a test"))
              for f in folds(prepare(data, TASK), data, TASK, 4)]  # fmt: skip
    assert turned == texts
    other = data.model_copy(update={"split": Split(seed=8)})
    assert [f.test.ids for f in folds(dataset, other, TASK, 4)] != ids


def test_rows_in_time_and_too_few_groups_are_refused(tmp_path: Path) -> None:
    dataset, data = written(tmp_path, Split(by="time", column="day"))
    with pytest.raises(DataError, match="older"):
        folds(dataset, data, TASK, 5)
    dataset, data = written(tmp_path, Split(by="group", column="who"), groups=5)
    with pytest.raises(DataError, match="groups cannot fill 9 folds"):
        folds(dataset, data, TASK, 9)
