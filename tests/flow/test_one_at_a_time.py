"""Two evaluations of one run would write over each other: the second is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from afina.models.sources import Base
from afina.store import Run
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured
from tests.tiny import Kind

ROWS = [
    {"text": f"{word} {n}", "label": label}
    for n in range(20)
    for word, label in (("money refund", "bill"), ("lost parcel", "post"))
]


def test_one_evaluation_of_a_run_at_a_time(tmp_path: Path, tiny: Callable[[Kind], Base]) -> None:
    evaluate = {"baselines": ["majority"]}
    measured(tmp_path, tiny("minilm"), "classify", ROWS, evaluate=evaluate)
    home = tmp_path / "home"
    run = Run.open(home, "last")
    before = (run.folder / "report.json").read_bytes()
    with run.lock():
        code, answer = json_of(["eval", "last", "--home", str(home)])
    assert code == 2
    assert "another process works on this run" in answer["error"]["what"]
    assert (run.folder / "report.json").read_bytes() == before
    assert json_of(["eval", "last", "--home", str(home)])[0] in (0, 1)
