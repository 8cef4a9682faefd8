"""The loop keeps its promises: exact resume, exact accumulation, a gate before success."""

from __future__ import annotations

import json
import math
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from afina.errors import Interrupted, TrainingError
from afina.models import flat
from afina.models.save import open_model
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.train import gate, loop
from afina.train.loop import Step, Training
from afina.train.state import WEIGHTS_FILE
from afina.train.validation import validate
from afina.train.weights import Weights, sha256_of
from afina.types import Loss
from tests.tiny import Kind
from tests.train.small import Small

METHODS: list[Any] = ["full", {"name": "lora", "rank": 4, "dropout": 0.1}]
CELLS = [("llama", "generate"), ("minilm", "classify")]


def name_of(value: Any) -> str:
    return value if isinstance(value, str) else str(value["name"])


@pytest.mark.parametrize("method", METHODS, ids=name_of)
@pytest.mark.parametrize(("kind", "task"), CELLS)
def test_a_run_counts_what_it_did(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind, task: str, method: Any
) -> None:
    """That every method trains every task is shown by the matrix (``tests/methods``)."""
    random_head = {"head_start": "random"} if task == "classify" else None
    small = Small(tiny(kind), task, method, knobs_of_task=random_head, learning_rate=5e-3)
    run = small.new_run(tmp_path)
    figures = loop.run(*small.arguments(run), renderer=small.renderer)
    metrics = run.metrics()
    losses = [m["loss"] for m in metrics if "loss" in m]
    assert len(losses) == figures["steps"] == 9
    assert sum(losses[-3:]) < sum(losses[:3])
    assert figures["tokens"] == 3 * small.rows.tokens
    assert figures["rows"] == 72
    assert 0 < figures["trainable_parameters"] <= figures["total_parameters"]
    assert figures["reload_difference"] == 0.0
    assert figures["loss_tokens"] == 3 * small.rows.loss_tokens
    assert sum("validation_loss" in m for m in metrics) == 3
    assert (run.model_folder / "afina.json").is_file()
    again = open_model(run.model_folder, base=small.base)
    assert again.task == small.plan.recipe.task


def test_the_gate_compares_rows_worked_in_the_same_way(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long rows laid end to end round otherwise than padded ones; no fault of the saved model."""
    laid: list[int] = []
    states = flat.states

    def otherwise(core: Any, layout: Any) -> torch.Tensor:
        laid.append(1)
        return states(core, layout) * (1 + 1e-4)

    monkeypatch.setattr(flat, "states", otherwise)
    lora = {"name": "lora", "rank": 4}
    small = Small(tiny("llama"), "generate", lora, flat=True)
    run = small.new_run(tmp_path)
    assert loop.run(*small.arguments(run))["reload_difference"] == 0.0
    assert laid, "the test must see rows laid flat"


def test_frozen_tensors_are_bit_equal(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    small = Small(tiny("llama"), "generate", {"name": "partial", "train_layers": 1})
    run = small.new_run(tmp_path)
    loop.run(*small.arguments(run))
    before = load_file(small.base.folder / "model.safetensors")
    after = load_file(run.model_folder / "model.safetensors")
    for name, tensor in before.items():
        moves = "layers.1." in name or name == "model.norm.weight"
        assert torch.equal(tensor, after[name]) != moves, name


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    "method", ["full", {"name": "lora", "rank": 4, "dropout": 0.2}], ids=name_of
)
def test_resumed_is_uninterrupted(
    tiny: Callable[[Kind], Base], tmp_path: Path, method: Any, precision: str
) -> None:
    small = Small(tiny("llama"), "generate", method, precision=precision, save_every_steps=2)
    whole = loop.run(*small.arguments(small.new_run(tmp_path / "whole")))
    for stop_at in (1, 3, 4, 8):
        run = small.new_run(tmp_path / f"cut{stop_at}")

        def interrupt(step: Step, at: int = stop_at) -> None:
            if step.step == at and step.loss is not None:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted, match="saved"):
            loop.run(*small.arguments(run), watch=interrupt)
        resumed = loop.run(*small.arguments(run))
        assert resumed["weights_sha256"] == whole["weights_sha256"]
        assert resumed["tokens"] == whole["tokens"]
        steps = [m["step"] for m in run.metrics() if "loss" in m]
        assert steps == list(range(1, 10)), "a step is missing from the metrics, or there twice"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "full"])
def test_killed_at_25_random_moments(
    tiny: Callable[[Kind], Base], tmp_path: Path, method: str
) -> None:
    """SIGKILL, whenever; resumed until done: 25 equal hashes."""
    script = Path(__file__).with_name("kill_runs.py")
    command = [sys.executable, str(script), str(tiny("llama").folder), str(tmp_path), method, "25"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=900,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result = json.loads(done.stdout.strip().splitlines()[-1])
    assert result["kills"] >= 25
    assert result["inside_training"] >= 10, "most kills have to fall into the training itself"
    assert result["hashes"] == [result["uninterrupted"]] * 25


def test_accumulated_is_whole(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    ends = []
    for size in (8, 3, 1):
        small = Small(tiny("llama"), "generate", "full", micro_batch_size=size, epochs=1)
        run = small.new_run(tmp_path / str(size))
        loop.run(*small.arguments(run))
        ends.append(load_file(run.model_folder / "model.safetensors"))
    for other in ends[1:]:
        for name, tensor in ends[0].items():
            assert torch.allclose(tensor, other[name], atol=2e-5), name


def test_not_finite_stops_and_names_the_rows(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tiny("llama"), "generate", "lora", save_every_steps=1)
    run = small.new_run(tmp_path)
    real = Supervised.loss
    calls = {"count": 0}

    def poisoned(self: Supervised, *arguments: Any) -> Loss:
        calls["count"] += 1
        loss = real(self, *arguments)
        return Loss(loss.total * math.nan, loss.weight) if calls["count"] == 5 else loss

    monkeypatch.setattr(Supervised, "loss", poisoned)
    with pytest.raises(TrainingError, match="loss is not a finite number") as caught:
        loop.run(*small.arguments(run))
    assert "row-" in caught.value.where
    assert caught.value.exit_code == 1
    assert not run.model_folder.exists()
    newest = run.checkpoints.newest()
    assert newest is not None
    for tensor in load_file(newest.folder / WEIGHTS_FILE).values():
        assert bool(tensor.isfinite().all())
    noted = next(e for e in run.events() if e["event"] == "not_finite")
    assert len(noted["rows"]) == 8


def test_the_best_checkpoint_is_restored_and_the_alert_raised(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    small = Small(
        tiny("llama"), "generate", "full", rows=6, epochs=40, learning_rate=2e-2, early_stopping=3
    )
    run = small.new_run(tmp_path)
    alerts: list[str] = []
    figures = loop.run(
        *small.arguments(run), watch=lambda s: alerts.append(s.alert) if s.alert else None
    )
    measured = {m["step"]: m["validation_loss"] for m in run.metrics() if "validation_loss" in m}
    assert figures["stopped"], "nothing stopped a hopeless run"
    assert figures["steps"] < 40
    assert measured[figures["best_step"]] == min(measured.values())
    assert figures["steps"] - figures["best_step"] == 3
    assert alerts
    assert "by heart" in alerts[0]
    assert any(e["event"] == "overfitting" for e in run.events())
    best = run.checkpoints.at(figures["best_step"])
    assert best is not None
    assert sha256_of(load_file(best.folder / WEIGHTS_FILE)) == figures["weights_sha256"]


def test_a_changed_model_on_disk_does_not_pass(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tiny("llama"), "generate", "lora")
    run = small.new_run(tmp_path)
    real = gate.save_model

    def forgets(model: Any, folder: Path, weights: Any, facts: Any) -> None:
        real(model, folder, {n: w * 0 for n, w in weights.items()}, facts)

    monkeypatch.setattr(gate, "save_model", forgets)
    with pytest.raises(TrainingError, match="answers differently"):
        loop.run(*small.arguments(run))
    assert not run.model_folder.exists()


def test_nothing_learned_does_not_pass(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Weights, "step", lambda self, share, norm: None)
    small = Small(tiny("llama"), "generate", "lora")
    with pytest.raises(TrainingError, match="did not change"):
        loop.run(*small.arguments(small.new_run(tmp_path)))


def test_equals_the_plain_loop(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """The loop that a reader can take in at a glance gives the same losses on the same batches."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
    try:
        import plain_loop
    finally:
        sys.path.pop(0)
    small = Small(
        tiny("llama"),
        "generate",
        {"name": "lora", "rank": 4},
        rows=12,
        held=0,
        batch_size=12,
        micro_batch_size=5,
        epochs=8,
        learning_rate=1e-2,
        warmup=0.25,
        early_stopping=None,
    )
    training = Training(*small.arguments(small.new_run(tmp_path)), None, lambda _: None)
    ours = [training.step(s)["loss"] for s in range(8)]
    from tests.train.small import chats

    pairs = [(e.messages[0].content, e.messages[1].content) for e in chats(12)]  # type: ignore[attr-defined]
    theirs = plain_loop.train(
        small.base.folder,
        pairs,
        None,
        steps=8,
        batch_size=12,
        rank=4,
        learning_rate=1e-2,
        warmup=2,
        seed=7,
    )
    assert ours == pytest.approx(theirs, rel=1e-4)
    assert ours[-1] < ours[0]


@pytest.mark.parametrize("kind", ["minilm", "llama"])
def test_a_fitted_head_is_the_minimum(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind
) -> None:
    """The gradient of the head, regularised as fitted, vanishes; a random head is far from it."""
    small = Small(tiny(kind), "classify", "full", rows=60)
    training = Training(*small.arguments(small.new_run(tmp_path)), None, lambda _: None)
    recipe, kept, targets = small.plan.recipe, small.rows.kept, small.rows.kind
    how = recipe.objective, recipe.train
    losses = {"fitted": validate(training.model, *how, kept, targets)[0]}
    other = Small(tiny(kind), "classify", "full", rows=60, knobs_of_task={"head_start": "random"})
    drawn = Training(*other.arguments(other.new_run(tmp_path)), None, lambda _: None)
    losses["random"] = validate(drawn.model, *how, kept, targets)[0]
    assert losses["fitted"] < 0.3 * losses["random"]
    again = Training(*small.arguments(small.new_run(tmp_path)), None, lambda _: None)
    head, same = training.model.trained()["head.weight"], again.model.trained()["head.weight"]
    assert torch.equal(head, same)


def test_the_seed_decides(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    ends = []
    for seed in (1, 1, 2):
        small = Small(tiny("minilm"), "classify", "full", seed=seed, epochs=1)
        run = small.new_run(tmp_path / f"{seed}-{random.random()}")
        ends.append(loop.run(*small.arguments(run))["weights_sha256"])
    assert ends[0] == ends[1] != ends[2]
