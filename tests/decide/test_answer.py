"""A decision about answers in texts: the simple way is called so, the trial settles its threshold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from afina.models import save
from afina.models.sources import Base
from afina.tasks import FindAnswer
from afina.types import Task
from tests.cli.conftest import json_of
from tests.flow.test_answer import TASK, rows
from tests.flow.tiny_runs import write
from tests.tiny import Kind


def test_answers_in_texts_are_decided_on(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled: list[Task] = []
    settle = save.settle_task

    def noted(folder: Path, task: Task, name: str = "") -> None:
        settle(folder, task, name)
        settled.append(save.parts_of(save.read_card(folder))[0])

    monkeypatch.setattr(save, "settle_task", noted)
    recipe = {
        "task": TASK,
        "base": str(tiny("bert").folder),
        "data": {"train": str(write(tmp_path, rows(150)))},
        "train": {"batch_size": 8, "threads": 1, "learning_rate": 5e-3},
        "goal": {"metric": "answer_f1", "at_least": 0.9},
        "decide": {"steps": 2, "latency_rows": 2, "bases": 0, "shares": [1.0]},
    }
    (tmp_path / "r.yaml").write_text(json.dumps(recipe))
    code, said = json_of(["decide", str(tmp_path / "r.yaml"), "--home", str(tmp_path / "home")])
    assert code in (0, 1), said
    kinds = {way["name"]: way["kind"] for way in said["ways"]}
    assert kinds["sentence"] == kinds["majority"] == "simple"
    assert settled
    assert all(isinstance(task, FindAnswer) and task.no_answer is not None for task in settled)
