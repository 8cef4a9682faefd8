"""Whole runs of tiny models through the command line: recipe, run, predict, report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from afina.models.sources import Base
from tests.cli.conftest import json_of

Row = Mapping[str, Any]


def write(folder: Path, rows: Sequence[Row], name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def measured(
    folder: Path, base: Base, task: Any, rows: Sequence[Row], **knobs: Any
) -> dict[str, Any]:
    """The object that ``afina run`` prints, for rows that the split divides."""
    recipe = {
        "task": task,
        "base": str(base.folder),
        "data": {"train": str(write(folder, rows))},
        "train": {"max_steps": 4, "batch_size": 8, "threads": 1},
        **knobs,
    }
    path = folder / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    code, answer = json_of(["run", str(path), "--home", str(folder / "home")])
    assert code == 0, answer
    return answer


def predicted(folder: Path, rows: Sequence[Row]) -> list[dict[str, Any]]:
    """What ``afina predict last`` says of rows."""
    path = write(folder, rows, "asked.jsonl")
    code, answer = json_of(["predict", "last", str(path), "--home", str(folder / "home")])
    assert code == 0, answer
    found: list[dict[str, Any]] = answer["answers"]
    return found
