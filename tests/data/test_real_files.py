"""Published data sets, where they lie beside the repository."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from afina.data import prepare, read
from afina.recipe.knobs import Data
from afina.tasks import Classify, Generate
from afina.types import LabelledExample, PreferenceExample


@pytest.fixture
def shared() -> Path:
    folder = Path(__file__).parents[2].parent / "shared/data"
    if not folder.is_dir():
        pytest.skip("the published data sets are not here")
    return folder


def test_banking77(shared: Path) -> None:
    folder = shared / "banking77"
    found = prepare(
        Data(train=str(folder / "train.csv"), test=str(folder / "test.csv")), Classify()
    )
    assert found.check.rows == 10_003 + 3_080
    assert len(found.test) == 3_080
    # 26 questions of the training file stand in the published test, but for case and punctuation
    assert found.check.dropped == {"in_test": 26}
    assert len(found.train) + len(found.validation) == 9_977
    assert len(found.task.labels or ()) == 77  # type: ignore[attr-defined]
    shares = Counter(e.labels for e in found.validation if isinstance(e, LabelledExample))
    assert len(shares) == 77
    assert found.check.faults == ()


def test_sst2_has_no_header(shared: Path) -> None:
    found = prepare(
        Data(train=str(shared / "sst2/train.tsv"), validation=str(shared / "sst2/dev.tsv")),
        Classify(),
    )
    assert found.check.rows == 6_920 + 872
    assert found.task.labels == ("0", "1")  # type: ignore[attr-defined]
    assert (
        "train.tsv: has no header; column 1 was read as text, column 2 as label"
        in found.check.notes
    )


def test_gsm8k(shared: Path) -> None:
    folder = shared / "gsm8k"
    found = prepare(
        Data(train=str(folder / "train.jsonl"), test=str(folder / "test.jsonl")), Generate()
    )
    assert found.check.rows == 1_700
    assert found.check.format == "jsonl: prompt and completion"
    assert len(found.test) == 200
    pairs = read(str(folder / "preference.jsonl"), accepts=(PreferenceExample,))
    assert len(pairs.examples) == 500
