"""The rule stands in a run's folder before it is trained; an evaluation by another one says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from afina.evaluate.stated import sha256_of
from afina.flow.record import rule_changes, state_rule
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.store import Run
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured
from tests.tiny import Kind


def test_a_goal_moved_after_the_test_was_opened_is_shown(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = [{"text": f"door {i} {i % 7}", "label": ("a", "b")[i % 2]} for i in range(60)]
    said = measured(
        tmp_path,
        tiny("bert"),
        "classify",
        rows,
        goal={"metric": "accuracy", "at_least": 0.1},
        evaluate={"baselines": [], "resamples": 100, "latency_rows": 3},
    )
    assert said["report"]["rule_changes"] == []
    costs = said["report"]["costs"]["tuned"]
    assert costs["timed"] == 3
    assert 0 < costs["p50_seconds"] <= costs["p95_seconds"]
    assert costs["peak_memory_bytes"] > 10**7
    assert costs["disk_bytes"] > 1000
    folder = Path(said["folder"])
    run = Run.open(tmp_path / "home", said["run"])
    events = list(run.events())
    at = [e["event"] for e in events]
    assert at.index("rule_stated") < at.index("training") < at.index("test_opened")
    noted = events[at.index("rule_stated")]["sha256"]
    assert noted == sha256_of(json.loads((folder / "rule.json").read_text("utf-8")))
    recipe = folder / "recipe.yaml"
    recipe.write_text(recipe.read_text("utf-8").replace("at_least: 0.1", "at_least: 0.05"), "utf-8")
    code, answer = json_of(["eval", said["run"], "--home", str(tmp_path / "home")])
    assert code in (0, 1), answer
    (change,) = answer["report"]["rule_changes"]
    assert "after the test had been opened (1 times): goal.at_least was 0.1 and is 0.05" in change
    assert "La regla se cambió" in (folder / "report.html").read_text("utf-8")


def test_only_its_own_test_counts_as_opened(tmp_path: Path) -> None:
    """A stage opens the tests of the stages before it too: those say nothing of this rule."""
    run = Run.create(tmp_path, "second")
    recipe = parse_recipe(
        {
            "task": "classify",
            "base": "some/base",
            "data": {"train": "rows.csv"},
            "goal": {"metric": "accuracy", "at_least": 0.9},
        }
    )
    dataset: Any = SimpleNamespace(test=SimpleNamespace(sha256="own"))
    state_rule(run, recipe, dataset, "")
    assert rule_changes(run, recipe, dataset, "") == ()
    run.event("test_opened", sha256="earlier", rows=9, stage="first")
    assert recipe.goal is not None
    moved = recipe.model_copy(update={"goal": recipe.goal.model_copy(update={"at_least": 0.1})})
    (said,) = rule_changes(run, moved, dataset, "")
    assert (said.code, said.values["openings"]) == ("rule_changed", 0)
    run.event("test_opened", sha256="own", rows=9)
    (said,) = rule_changes(run, moved, dataset, "")
    assert (said.code, said.values["openings"]) == ("rule_changed_open", 1)
