"""``afina run --folds`` as a whole, on a tiny model: measured, kept, gone on with."""

from __future__ import annotations

import io
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from afina.cli import draw_run
from afina.data.sealed import SealedTest
from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.sweep.small import recipe_at
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


def folded(path: Path, count: int, *words: str) -> tuple[int, dict[str, Any]]:
    home = str(path.parent / "home")
    return json_of(["run", str(path), "--folds", str(count), "--home", home, *words])


@pytest.fixture(scope="module")
def recipe(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folds")
    return recipe_at(folder, tiny("minilm"), evaluate={"resamples": 100, "baselines": ["majority"]})


@pytest.fixture(scope="module")
def found(recipe: Path) -> dict[str, Any]:
    opened: list[str] = []
    before = SealedTest.open

    def noted(self: SealedTest, by: str) -> Any:
        opened.append(by)
        return before(self, by)

    SealedTest.open = noted  # type: ignore[method-assign]
    try:
        code, value = folded(recipe, 3)
    finally:
        SealedTest.open = before  # type: ignore[method-assign]
    assert code == 0, value
    assert opened == ["fold 1", "fold 2", "fold 3"]
    result: dict[str, Any] = value["folds"]
    return result


def test_every_score_of_every_candidate_has_mean_deviation_and_interval(
    found: dict[str, Any],
) -> None:
    assert [c["name"] for c in found["candidates"]] == ["tuned", "majority"]
    for candidate in found["candidates"]:
        assert set(candidate["scores"]) == set(found["scorers"])
        for spread in candidate["scores"].values():
            assert len(spread["values"]) == 3
            assert spread["mean"] == pytest.approx(statistics.fmean(spread["values"]))
            assert spread["deviation"] == pytest.approx(statistics.stdev(spread["values"]))
            assert spread["low"] <= spread["mean"] <= spread["high"]
    own, other = (c["scores"][found["metric"]]["values"] for c in found["candidates"])
    assert found["differences"][0]["values"] == pytest.approx(
        [a - b for a, b in zip(own, other, strict=True)]
    )
    assert sum(rows["measured"] for rows in found["rows"]) == 120
    assert found["sealed_test"] == 30


def test_it_is_kept_in_the_home_and_drawn(found: dict[str, Any]) -> None:
    kept = json.loads(Path(found["file"]).read_text("utf-8"))
    assert kept["candidates"] == found["candidates"]
    console = Console(file=io.StringIO(), width=200)
    draw_run.folds(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "±" in text and "30 of the sealed test" in text


def test_a_fold_that_is_there_is_not_made_again(
    found: dict[str, Any], recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.flow import folds as flow_folds

    made: list[str] = []
    before = flow_folds.try_out

    def counted(ready: Any, part: Any, *rest: Any) -> Any:
        made.append(part.id)
        return before(ready, part, *rest)

    monkeypatch.setattr(flow_folds, "try_out", counted)
    (Path(found["file"]).parent / "fold-2" / "report.json").unlink()
    code, again = folded(recipe, 3)
    assert code == 0
    assert made == ["fold-2"]
    assert again["folds"]["candidates"] == found["candidates"]


def test_numbers_that_make_no_folds_are_refused(recipe: Path) -> None:
    for count in (1, 101):
        code, value = folded(recipe, count)
        assert code == 2
        assert value["error"]["where"] == "--folds"
