"""``afina sweep`` as a whole, on tiny models: what is tried, kept, gone on with, and never opened."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from afina.cli import draw_sweep
from afina.data.sealed import SealedTest
from afina.models.sources import Base
from afina.recipe import load_recipe
from afina.store import Run
from tests.cli.conftest import json_of
from tests.sweep.small import recipe_at, swept
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def recipe(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recipe_at(tmp_path_factory.mktemp("sweep"), tiny("minilm"))


@pytest.fixture(scope="module")
def found(recipe: Path) -> dict[str, Any]:
    """A sweep in whose time the sealed test cannot be opened."""

    def refuse(self: SealedTest, by: str) -> Any:
        raise AssertionError(f"the sealed test was opened by {by}")

    opened = SealedTest.open
    SealedTest.open = refuse  # type: ignore[method-assign]
    try:
        code, value = swept(recipe)
    finally:
        SealedTest.open = opened  # type: ignore[method-assign]
    assert code == 0, value
    return value


def test_the_trials_are_told(found: dict[str, Any], recipe: Path) -> None:
    sweep = found["sweep"]
    trials = sweep["trials"]
    assert [t["number"] for t in trials] == [0, 1, 2, 3]
    assert trials[0]["knobs"]["method.rank"] == 2
    assert sweep["own_first"] is True
    complete = [t for t in trials if t["state"] == "complete"]
    best = max(complete, key=lambda t: (t["value"], -t["number"]))
    assert sweep["best"] == best["number"]
    assert all(t["low"] <= t["value"] <= t["high"] for t in complete)
    assert sweep["metric"] == "macro_f1"
    assert sum(sweep["counts"].values()) == 4


def test_the_best_trial_is_a_run_that_the_sealed_test_can_judge(
    found: dict[str, Any], recipe: Path
) -> None:
    home = recipe.parent / "home"
    run = Run.open(home, found["run"])
    assert run.status == "succeeded"
    assert run.verify().whole
    assert not any(e["event"] == "test_opened" for e in run.events())
    code, value = json_of(["eval", run.id, "--home", str(home)])
    assert code == 0, value
    assert value["report"]["test"]["rows"] == 30


def test_its_recipe_trained_alone_ends_in_the_same_weights(
    found: dict[str, Any], tmp_path: Path
) -> None:
    code, alone = json_of(["train", found["sweep"]["recipe"], "--home", str(tmp_path)])
    assert code == 0, alone
    assert alone["train"]["weights_sha256"] == found["train"]["weights_sha256"]


def test_only_the_best_trial_keeps_its_checkpoints(found: dict[str, Any]) -> None:
    folder = Path(found["sweep"]["folder"])
    kept = {p.parent.name for p in folder.glob("trial-*/checkpoints")}
    assert kept == {f"trial-{found['sweep']['best']:03d}"}


def test_asked_again_nothing_is_tried_again_and_more_trials_go_on(
    found: dict[str, Any], recipe: Path
) -> None:
    code, again = swept(recipe)
    assert code == 0
    assert again["sweep"]["trials"] == found["sweep"]["trials"]
    assert again["run"] == found["run"]
    code, more = swept(recipe, "-s", "sweep.trials=5")
    assert code == 0
    assert more["sweep"]["trials"][:4] == found["sweep"]["trials"]
    assert len(more["sweep"]["trials"]) == 5


def test_the_page_shows_every_trial_in_both_languages(found: dict[str, Any]) -> None:
    text = Path(found["sweep"]["page"]).read_text("utf-8")
    assert "Trial by trial" in text and "Ensayo a ensayo" in text
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    assert text.count("<circle") >= len(found["sweep"]["trials"])


def test_the_terminal_names_the_run_and_the_reasons(found: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=200)
    draw_sweep.found(console, found)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert f"afina eval {found['run']}" in text
    assert "train.learning_rate" in text


def test_changed_data_are_refused(found: dict[str, Any], recipe: Path, tmp_path: Path) -> None:
    rows = recipe.parent / "tickets.csv"
    before = rows.read_text("utf-8")
    rows.write_text(before + "one more crash,bug\n", "utf-8")
    try:
        code, value = swept(recipe)
    finally:
        rows.write_text(before, "utf-8")
    assert code == 2
    assert "data" in value["error"]["what"]


# ---------------------------------------------------------------------------- killed


def _killed_after(path: Path, home: str, trials: int) -> None:
    """Begin a sweep in a process of its own and kill it within the trial after that many."""
    words = [sys.executable, "-m", "afina", "sweep", str(path), "--home", str(path.parent / home)]
    process = subprocess.Popen(
        [*words, "--json"], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 600
    while time.monotonic() < until and process.poll() is None:
        folders = list((path.parent / home / "sweeps").glob(f"*/trial-{trials:03d}/metrics.jsonl"))
        if folders:
            break
        time.sleep(0.01)
    assert process.poll() is None, "the sweep ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_a_killed_sweep_goes_on_and_tries_the_same(found: dict[str, Any], recipe: Path) -> None:
    _killed_after(recipe, "killed", 0)
    _killed_after(recipe, "killed", 2)
    code, value = swept(recipe, home="killed")
    assert code == 0, value
    assert value["sweep"]["interrupted"] == 2

    def tried(sweep: dict[str, Any]) -> list[Any]:
        keys = ("number", "state", "knobs", "value", "looks", "reason")
        return [{key: t[key] for key in keys} for t in sweep["trials"][:4]]

    assert tried(value["sweep"]) == tried(found["sweep"])
    assert value["train"]["weights_sha256"] == found["train"]["weights_sha256"]


# ---------------------------------------------------------------------------- what fails


def test_trials_that_diverge_are_counted(tiny: Tiny, tmp_path: Path) -> None:
    space = {
        "train.learning_rate": {"choices": [1e-3, 9.9]},
        "train.epsilon": {"choices": [1e-30, 1e-8]},
    }
    path = recipe_at(
        tmp_path, tiny("minilm"), method="full",
        sweep={"trials": 5, "space": space, "prune": False},
        train={"threads": 1, "epochs": 2, "precision": "float32", "batch_size": 8,
               "learning_rate": 1e-3, "gradient_clip": None, "warmup": 0.0, "betas": [0.0, 0.0]},
    )  # fmt: skip
    code, value = swept(path)
    assert code == 0, value
    counts = value["sweep"]["counts"]
    assert counts.get("complete", 0) >= 1
    for trial in value["sweep"]["trials"]:
        assert trial["reason"] in ("", "diverged")


def test_memory_that_runs_out_costs_the_trial_and_not_the_sweep(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.train.loop import Training

    go = Training.go

    def greedy(self: Training) -> None:
        assert self.plan.recipe.method is not None
        if getattr(self.plan.recipe.method, "rank", 0) == 4:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")
        go(self)

    monkeypatch.setattr(Training, "go", greedy)
    path = recipe_at(
        tmp_path, tiny("minilm"),
        sweep={"trials": 4, "prune": False, "space": {"method.rank": {"choices": [2, 4]}}},
    )  # fmt: skip
    code, value = swept(path)
    assert code == 0, value
    failed = [t for t in value["sweep"]["trials"] if t["knobs"]["method.rank"] == 4]
    assert failed and all(t["reason"] == "out_of_memory" for t in failed)


def test_when_the_time_is_over_the_best_so_far_is_taken(tiny: Tiny, tmp_path: Path) -> None:
    path = recipe_at(tmp_path, tiny("minilm"))
    code, value = swept(path, "-s", "sweep.minutes=0.0001")
    assert code == 0, value
    assert [t["state"] for t in value["sweep"]["trials"]] == ["complete"]
    assert value["sweep"]["better_than_own"] is None


def test_the_loss_decides_where_texts_would_have_to_be_written(tiny: Tiny, tmp_path: Path) -> None:
    rows = [{"prompt": f"say {n} twice", "completion": f"{n} {n}"} for n in range(60)]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        json.dumps(
            {
                "task": "generate",
                "base": str(tiny("llama").folder),
                "data": {"train": "rows.jsonl"},
                "method": {"name": "lora", "layers": 1},
                "train": {"threads": 1, "epochs": 2},
                "sweep": {
                    "trials": 3,
                    "space": {"train.learning_rate": {"low": 1e-5, "high": 1e-2, "log": True}},
                },
            }
        ),
        "utf-8",
    )
    code, value = swept(path)
    assert code == 0, value
    sweep = value["sweep"]
    assert (sweep["metric"], sweep["better"]) == ("validation_loss", "lower")
    complete = [t for t in sweep["trials"] if t["state"] == "complete"]
    assert sweep["best"] == min(complete, key=lambda t: t["value"])["number"]
    # the frozen layers below the adapter are worked once for all trials
    assert len(list((tmp_path / "home" / "states").iterdir())) == 1


def test_the_space_is_derived_and_told_with_its_reasons(tiny: Tiny, tmp_path: Path) -> None:
    path = recipe_at(tmp_path, tiny("minilm"), sweep={"trials": 1})
    code, value = swept(path)
    assert code == 0, value
    space = {knob["key"]: knob for knob in value["sweep"]["space"]}
    assert set(space) == {
        "train.learning_rate", "train.batch_size", "train.epochs", "method.rank", "method.alpha",
    }  # fmt: skip
    assert space["method.rank"]["choices"] == [1, 2, 8]
    assert all(knob["reason"] for knob in space.values())
    assert value["sweep"]["own_first"] is True
    assert load_recipe(value["sweep"]["recipe"]).method == load_recipe(path).method.model_copy(  # type: ignore[union-attr]
        update={"alpha": 4.0}
    )
