"""Numbers from rows to report, on a tiny model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from afina.cli import command_line
from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, predicted, write
from tests.tiny import Kind

COLOURS = ("red", "green", "blue")


def test_from_rows_to_report(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = [
        {"text": f"{COLOURS[i % 3]} door {i}", "score": 100 * (i % 3) + i / 100} for i in range(60)
    ]
    said = measured(tmp_path, tiny("minilm"), "regress", rows)
    report = said["report"]
    assert report["metric"] == "mae"
    names = [c["name"] for c in report["candidates"]]
    assert names == ["tuned", "mean", "ridge", "embedding_ridge"]
    by_name = {c["name"]: c["scores"] for c in report["candidates"]}
    assert by_name["ridge"]["mae"]["value"] < by_name["mean"]["mae"]["value"]
    assert by_name["tuned"]["mae"]["value"] < by_name["mean"]["mae"]["value"]
    assert by_name["mean"]["pearson"]["value"] == 0.0
    assert len(report["points"]["tuned"]) == report["test"]["rows"] == 6
    page = (Path(said["folder"]) / "report.html").read_text("utf-8")
    assert page.count('class="dot" fill-opacity') == 6
    assert "Error absoluto medio" in page
    (answer,) = predicted(tmp_path, [{"text": "blue door"}])
    assert 100 < answer["number"] < 300
    assert answer["answer"] == f"{answer['number']:.6g}"


def test_the_check_shows_the_numbers(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = [{"text": f"t{i}", "number": float(i)} for i in range(20)]
    recipe = tmp_path / "r.yaml"
    base = tiny("minilm").folder
    recipe.write_text(f"task: regress\nbase: {base}\ndata: {{train: {write(tmp_path, rows)}}}\n")
    code, answer = json_of(["check", str(recipe)])
    assert code == 0
    assert answer["numbers"]["least"] == 0.0
    assert answer["numbers"]["median"] == 9.5
    assert command_line(["check", str(recipe)]) == 0


def test_new_proposes_it(tmp_path: Path) -> None:
    path = write(tmp_path, [{"text": f"t{i}", "rating": i % 5} for i in range(20)])
    code, answer = json_of(["new", str(path), "--out", str(tmp_path / "new.yaml")])
    assert (code, answer["task"]) == (0, "regress")


def test_pairs_from_rows_to_answers(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = [
        {
            "premise": f"{COLOURS[i % 3]} door {i}",
            "hypothesis": f"{COLOURS[i // 3 % 3]} door",
            "label": "same" if i % 3 == i // 3 % 3 else "other",
        }
        for i in range(90)
    ]
    said = measured(
        tmp_path, tiny("bert"), "classify", rows, evaluate={"baselines": ["majority", "linear"]}
    )
    assert said["data"]["kept"] == 90
    one, two = predicted(
        tmp_path,
        [{"premise": "red door", "hypothesis": h} for h in ("red door", "blue door one two")],
    )
    assert one["probabilities"] != two["probabilities"]
