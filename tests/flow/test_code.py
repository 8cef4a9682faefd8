"""Code with tests and answers with a schema, from files to report, on a tiny model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, write
from tests.tiny import Kind

TRAIN = {"max_steps": 2, "batch_size": 8, "threads": 1}


def test_code_is_scored_by_its_tests(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = [
        {
            "prompt": f"a function that gives {'one' if i % 2 else 'two'}, please, number {i}",
            "completion": f"def give():\n    return {1 + (i + 1) % 2}",
            "tests": ["x = give()", f"assert x == {1 + (i + 1) % 2}"],
        }
        for i in range(40)
    ]
    said = measured(
        tmp_path,
        tiny("llama"),
        {"name": "generate", "run_tests": True, "test_seconds": 20, "max_new_tokens": 4},
        rows,
        train=TRAIN,
        evaluate={"baselines": ["nearest"]},
    )
    report = said["report"]
    assert report["metric"] == "passes_tests"
    scores = {c["name"]: c["scores"]["passes_tests"]["value"] for c in report["candidates"]}
    assert scores == {"tuned": 0.0, "nearest": 1.0}
    notes = json.loads((Path(said["folder"]) / "plan.json").read_text())["notes"]
    assert any("This guards against accidents, not against an attacker" in n for n in notes)
    assert not any("do not pass" in n for n in notes)
    assert "Pasa sus pruebas" in (Path(said["folder"]) / "report.html").read_text("utf-8")


def test_rows_that_break_the_schema_are_found_by_the_check(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = [{"prompt": f"bill {i}", "completion": json.dumps({"total": i})} for i in range(30)]
    rows[4]["completion"] = '{"total": "four"}'
    task = {"name": "generate", "json_schema": "bill.json"}
    schema = {"type": "object", "properties": {"total": {"type": "integer"}}, "required": ["total"]}
    (tmp_path / "bill.json").write_text(json.dumps(schema))
    recipe = {"task": task, "base": str(tiny("llama").folder)}
    recipe["data"] = {"train": str(write(tmp_path, rows))}
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    code, answer = json_of(["check", str(tmp_path / "r.yaml")])
    assert code == 2
    assert answer["error"]["where"] == "rows.jsonl: row 5"
    assert "$.total: must be integer" in answer["error"]["what"]
