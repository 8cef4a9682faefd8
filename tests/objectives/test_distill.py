"""Distillation: the exact divergence, teachers that cannot teach, exact resume."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from afina.errors import Interrupted, ModelError, RecipeError
from afina.flow import resume, train
from afina.methods import Full
from afina.models.load import load
from afina.models.sources import Base
from afina.objectives.soft import answers_and_divergence, note_tokens
from afina.recipe import parse_recipe
from afina.store import Run
from afina.train.loop import Step, lay_flat
from afina.types import IGNORED
from tests.objectives.pairs import Tried, nudge, whole
from tests.tiny import Kind
from tests.train.small import chats, texts


def write(path: Path, task: str, count: int = 60) -> Path:
    if task == "classify":
        rows: list[Any] = [{"text": e.text, "label": e.labels[0]} for e in texts(count)]  # type: ignore[attr-defined]
        rows = [row | {"text": f"{row['text']} {i}"} for i, row in enumerate(rows)]
    else:
        turns = [e.messages for e in chats(count)]  # type: ignore[attr-defined]
        rows = [{"prompt": ask.content, "completion": said.content} for ask, said in turns]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def recipe(base: Base, rows: Path, task: str, objective: Any = "supervised", **knobs: Any) -> Any:
    train_knobs = {
        "threads": 1,
        "precision": "float32",
        "epochs": 2,
        "learning_rate": 3e-3,
        **knobs,
    }
    return parse_recipe(
        {
            "task": task,
            "base": str(base.folder),
            "data": {"train": str(rows)},
            "method": "full",
            "objective": objective,
            "train": train_knobs,
        }
    )


@pytest.mark.parametrize("flat", [False, True])
def test_the_divergence_of_tokens_is_exact(tiny: Callable[[Kind], Base], flat: bool) -> None:
    """With the whole vocabulary noted it is the KL divergence, with a part of it a lower bound."""
    tried = Tried(tiny("llama"), "supervised", chats(12))
    start, model = (load(tried.base, tried.plan.recipe.task, Full()) for _ in range(2))
    nudge(model, 0.05)
    if flat:
        assert lay_flat(start) and lay_flat(model)
    batch = whole(tried.rows.kept, start)
    counted = batch.targets[:, 1:] != IGNORED
    with torch.no_grad():
        theirs, ours = (
            one.network.core(input_ids=batch.ids).logits[:, :-1][counted].log_softmax(-1)
            for one in (start, model)
        )
        exact = functional.kl_div(ours, theirs, log_target=True, reduction="none").sum(1)
        found = {}
        for count in (theirs.shape[1] - 1, 16):
            noted = replace(batch, noted=note_tokens(start.network, batch, count))
            found[count] = answers_and_divergence(model.network, noted, count)[1]
            right, zero = answers_and_divergence(start.network, noted, count)
            assert torch.allclose(right, start.network.token_logprobs(batch), atol=1e-5)
            assert torch.allclose(zero, torch.zeros_like(zero), atol=1e-5)
    assert torch.allclose(found[theirs.shape[1] - 1], exact, atol=1e-4)
    assert bool((found[16] <= exact + 1e-4).all())
    assert float(found[16].sum()) > 0.05 * float(exact.sum())


def test_a_classifier_learns_from_a_run_over_another_base(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", "classify")
    teacher, _ = train(recipe(tiny("llama"), rows, "classify"), tmp_path)
    objective = {"name": "distill", "teacher": teacher.id, "weight_of_teacher": 0.9}
    student = recipe(tiny("minilm"), rows, "classify", objective, save_every_steps=2)
    run, outcome = train(student, tmp_path)
    assert outcome["status"] == "succeeded"
    losses = [m["loss"] for m in run.metrics() if "loss" in m]
    assert losses[-1] < losses[0] or losses[0] < 0.05

    def interrupt(step: Step) -> None:
        if step.step == 3 and step.loss is not None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(student, tmp_path, watch=interrupt)
    _, resumed = resume(tmp_path, Run.open(tmp_path, "last").id)
    assert resumed["train"]["weights_sha256"] == outcome["train"]["weights_sha256"]


def test_the_loss_of_labels_is_the_divergence(tiny: Callable[[Kind], Base]) -> None:
    objective = {"name": "distill", "teacher": "any", "weight_of_teacher": 0.6, "temperature": 3.0}
    tried = Tried(tiny("minilm"), objective, texts(12), task="classify")
    model = tried.model()
    batch = tried.batch(model, tried.rows.kept)
    draw = torch.Generator().manual_seed(3)
    said = torch.randn(len(batch.ids), 3, generator=draw)
    with torch.no_grad():
        scores = model.network.label_scores(batch)
        loss = tried.plan.recipe.objective.loss(model.network, replace(batch, noted=said))
    soft = functional.kl_div(
        (scores / 3).log_softmax(1), (said / 3).softmax(1), reduction="batchmean"
    )
    hard = functional.cross_entropy(scores, batch.targets)
    expected = 0.6 * 9 * soft + 0.4 * hard
    assert float(loss.total) / loss.weight == pytest.approx(float(expected), rel=1e-5)


def test_text_is_learned_from_a_run_and_from_a_base(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = write(tmp_path / "rows.jsonl", "generate")
    base = tiny("llama")
    teacher, _ = train(recipe(base, rows, "generate"), tmp_path)
    for who in (teacher.id, str(base.folder)):
        objective = {"name": "distill", "teacher": who, "weight_of_teacher": 0.5}
        _, outcome = train(recipe(base, rows, "generate", objective), tmp_path)
        assert outcome["status"] == "succeeded"


@pytest.mark.parametrize(
    ("student", "task", "teacher", "what"),
    [
        ("llama", "generate", "gpt2", "other tokens"),
        ("minilm", "classify", "llama", "not learned these labels"),
    ],
)
def test_who_cannot_teach_is_refused(
    tiny: Callable[[Kind], Base],
    tmp_path: Path,
    student: Kind,
    task: str,
    teacher: Kind,
    what: str,
) -> None:
    rows = write(tmp_path / "rows.jsonl", task)
    objective = {"name": "distill", "teacher": str(tiny(teacher).folder)}
    with pytest.raises(ModelError, match=what):
        train(recipe(tiny(student), rows, task, objective), tmp_path)


def test_keep_holds_a_model_near_its_start(tiny: Callable[[Kind], Base]) -> None:
    """The same steps with the divergence in the loss end nearer to where they began."""
    ends = []
    for keep in (0.0, 5.0):
        tried = Tried(tiny("llama"), {"name": "supervised", "keep": keep}, chats(12))
        start, model = tried.model(), tried.model()
        batch = tried.batch(model, tried.noted(start))
        noted = replace(batch, noted=note_tokens(start.network, batch, 16).detach())
        optimiser = torch.optim.SGD(model.trained().values(), lr=0.05)
        for _ in range(8):
            optimiser.zero_grad()
            loss = tried.plan.recipe.objective.loss(model.network, batch)
            (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        with torch.no_grad():
            ends.append(float(answers_and_divergence(model.network, noted, 16)[1].mean()))
    assert ends[1] < 0.8 * ends[0]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"objective": "distill"}, "teacher"),
        (
            {"objective": {"name": "distill", "teacher": "x", "temperature": 2}},
            "temperature is for labels",
        ),
        ({"task": "classify", "objective": {"name": "supervised", "keep": 1}}, "objective.keep"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any], what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"task": "generate", "base": "x", "data": {"train": "rows.jsonl"}, **given})
    told = f"{caught.value.where} {caught.value.what} {caught.value.problems} {caught.value.do}"
    assert what in told


@pytest.mark.parametrize(
    "objective",
    [
        {"name": "supervised", "keep": 0.5},
        {"name": "distill", "teacher": "any", "weight_of_teacher": 0.5},
    ],
)
def test_a_step_runs_the_model_once(
    tiny: Callable[[Kind], Base], objective: dict[str, Any]
) -> None:
    """The right answer and the divergence come from the same pass."""
    tried = Tried(tiny("llama"), objective, chats(12))
    model = tried.model()
    batch = tried.batch(model, tried.rows.kept)
    noted = replace(batch, noted=note_tokens(model.network, batch, 16).detach())
    passes: list[int] = []
    model.network.core.model.layers[0].register_forward_hook(lambda *_: passes.append(1))
    tried.plan.recipe.objective.loss(model.network, noted)
    assert len(passes) == 1
