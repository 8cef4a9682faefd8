"""Policy optimisation: TRL's loss on the same answers and rewards, exact resume, a reward that rises."""

from __future__ import annotations

import copy
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
import torch

from afina.errors import Interrupted, ModelError, RecipeError
from afina.flow.rewarding import rate_of
from afina.models.load import Model
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.objectives import Policy
from afina.objectives.rewards import json_fields
from afina.recipe import parse_recipe
from afina.train import loop
from afina.train.loop import Step
from afina.train.rollouts import Rollouts
from afina.types import IGNORED, Answer, Batch, ChatExample, Encoded, Example, Input, Message
from tests.objectives.pairs import Tried, nudge, pairs, whole
from tests.tiny import Kind

pytestmark = pytest.mark.filterwarnings("ignore")


def asked(count: int, gold: str = "e") -> list[Example]:
    return [
        ChatExample(
            id=f"row-{i}",
            where=f"asked.jsonl: row {i}",
            messages=(Message("user", f"write {i}"), Message("assistant", gold)),
        )
        for i in range(count)
    ]


def tried(base: Base, objective: dict[str, Any], rows: int = 16, **train: Any) -> Tried:
    task = {"name": "generate", "max_new_tokens": 4}
    return Tried(base, {"name": "policy", **objective}, asked(rows), task=task, **train)


def answers(one: Tried, home: Path) -> tuple[Model, list[Encoded]]:
    """A moved model, and answers of two groups with what its start says of them."""
    model = one.model()
    objective = one.plan.recipe.objective
    rollouts = Rollouts.of(model, objective, one.new_run(home), 7)
    assert rollouts is not None
    nudge(model)
    rows, figures = rollouts.rows_of(one.rows.kept[:2], 0)
    assert 0 <= figures["reward"] <= 1
    draw = torch.Generator().manual_seed(3)
    worth = torch.randn(len(rows), generator=draw).tolist()
    return model, [replace(r, worth=w) for r, w in zip(rows, worth, strict=True)]


def apart(batch: Batch) -> dict[str, torch.Tensor]:
    """Prompts padded on the left, answers on the right, as TRL holds them."""
    starts = [next(i for i, t in enumerate(row) if t != IGNORED) for row in batch.targets.tolist()]
    ends = batch.lengths.tolist()
    left, right = max(starts), max(e - s for s, e in zip(starts, ends, strict=True))
    shape = {"prompt": left, "completion": right}
    found = {f"{n}_{p}": torch.zeros(len(ends), w, dtype=torch.long)
             for n, w in shape.items() for p in ("ids", "mask")}  # fmt: skip
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        found["prompt_ids"][i, left - start :] = batch.ids[i, :start]
        found["prompt_mask"][i, left - start :] = 1
        found["completion_ids"][i, : end - start] = batch.ids[i, start:end]
        found["completion_mask"][i, : end - start] = 1
    return found


@pytest.mark.parametrize(("kind", "keep"), [("grpo", 0.0), ("grpo", 0.3), ("rloo", 0.1)])
def test_equals_trl(tiny: Callable[[Kind], Base], tmp_path: Path, kind: str, keep: float) -> None:
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer

    base = tiny("llama")
    one = tried(base, {"kind": kind, "keep": keep, "group": 4})
    model, rows = answers(one, tmp_path)
    batch = whole(tuple(rows), model)
    model.network.eval()
    loss = one.plan.recipe.objective.loss(model.network, batch)
    (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
    network = copy.deepcopy(model.network.module)
    network.zero_grad()
    config: Any = GRPOConfig if kind == "grpo" else RLOOConfig
    options = {"loss_type": "grpo", "scale_rewards": "group"} if kind == "grpo" else {}
    trainer: Any = (GRPOTrainer if kind == "grpo" else RLOOTrainer)(
        model=network,
        reward_funcs=lambda completions, **_: [0.0] * len(completions),
        args=config(
            output_dir=str(tmp_path), use_cpu=True, bf16=False, report_to=[], beta=keep,
            num_generations=2, per_device_train_batch_size=2, **options,
        ),
        train_dataset=Dataset.from_list([{"prompt": "a"}] * 4),
        processing_class=AutoTokenizer.from_pretrained(base.folder),
    )  # fmt: skip
    trainer.model.eval()
    trainer.current_gradient_accumulation_steps = 1
    inputs: dict[str, Any] = apart(batch) | {"advantages": batch.worth}
    if kind == "rloo":
        counts = (batch.targets[:, 1:] != IGNORED).sum(1).tolist()
        with torch.no_grad():
            each = model.network.token_logprobs(batch).split(counts)
        inputs["old_logps"] = torch.stack([part.sum() for part in each])
    elif keep:
        assert batch.noted is not None
        inputs["ref_per_token_logps"] = batch.noted
    expected = trainer._compute_loss(trainer.model, inputs)
    expected.backward()
    value = float(loss.total.detach()) / loss.weight
    assert value == pytest.approx(float(expected.detach()), rel=1e-5, abs=1e-6)
    grads = {n.removeprefix("module."): p.grad for n, p in model.trained().items()}
    for name, parameter in trainer.model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(grads[name], parameter.grad, atol=1e-5, rtol=1e-4), name


def test_advantages() -> None:
    rewards = torch.tensor([0.0, 1.0, 1.0, 0.25])
    scaled = (rewards - rewards.mean()) / (rewards.std() + 1e-4)
    assert Policy().advantages(rewards.tolist()) == pytest.approx(scaled.tolist())
    plain = Policy(by_deviation=False).advantages(rewards.tolist())
    assert plain == pytest.approx((rewards - rewards.mean()).tolist())
    others = [(float(rewards.sum()) - r) / 3 for r in rewards.tolist()]
    left_out = [r - o for r, o in zip(rewards.tolist(), others, strict=True)]
    assert Policy(kind="rloo").advantages(rewards.tolist()) == pytest.approx(left_out)
    assert Policy().advantages([1.0, 1.0]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("knobs", "answer", "gold", "reward"),
    [
        ({}, " 18\n", "18", 1.0),
        ({}, "so 18", "18", 0.0),
        ({"reward": "contains"}, "so 18.", "18", 1.0),
        ({"after": "A:"}, "first A: 3 then A: 18", "thus A: 18", 1.0),
        ({"after": "A:"}, "it is 18", "thus A: 18", 0.0),
        ({"reward": "contains"}, "", "", 0.0),
        ({"reward": "json_fields"}, '{"a": 1, "b": 2}', '{"a": 1, "b": 3}', 0.5),
        ({"reward": "json_fields"}, "no JSON", '{"a": 1}', 0.0),
    ],
)  # fmt: skip
def test_an_answer_is_judged(knobs: dict[str, Any], answer: str, gold: str, reward: float) -> None:
    assert Policy(**knobs).judge(answer, gold) == reward


def test_fields_of_json() -> None:
    assert json_fields('{"a": {"b": [1, 2]}}', '{"a": {"b": [2, 1]}}') == 1.0
    assert json_fields("[]", "[]") == 1.0
    assert json_fields('{"a": 1}', '{"a": "1"}') == 0.0


@pytest.mark.parametrize("kind", ["grpo", "rloo"])
def test_the_reward_rises_and_a_resume_is_exact(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: str
) -> None:
    objective = {"kind": kind, "reward": "contains", "keep": 0.01}
    knobs: dict[str, Any] = {"epochs": 5, "learning_rate": 5e-3, "save_every_steps": 2}
    one = tried(tiny("llama"), objective, rows=28, early_stopping=None, **knobs)
    run = one.new_run(tmp_path / "whole")
    figures = loop.run(*one.arguments(run))
    rewards = [m["reward"] for m in run.metrics() if "reward" in m]
    assert len(rewards) == 30
    assert fmean(rewards[-6:]) > fmean(rewards[:6]) + 0.2
    cut = one.new_run(tmp_path / "cut")

    def interrupt(step: Step) -> None:
        if step.step == 5 and step.loss is not None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        loop.run(*one.arguments(cut), watch=interrupt)
    assert loop.run(*one.arguments(cut))["weights_sha256"] == figures["weights_sha256"]


def test_a_reward_model_judges(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """Its run is named; the reward is its score of the whole conversation."""
    base = tiny("llama")
    judge = Tried(base, "reward", pairs(24), task="score")
    scored = judge.new_run(tmp_path)
    loop.run(*judge.arguments(scored))
    one = tried(base, {"reward": "model", "reward_model": scored.id, "group": 3})
    run = one.new_run(tmp_path)
    loop.run(*one.arguments(run))
    assert any("reward" in m for m in run.metrics())
    rate = rate_of(one.plan.recipe, run)
    assert rate is not None
    question = Input((Message("user", "write 1"),))
    said = [Answer("e"), Answer("a much longer one")]
    worth = list(rate([question] * 2, said, [Answer("e")] * 2))
    model = TunedModel.open(scored.model_folder)
    turns = [(Message("user", "write 1"), Message("assistant", a.text)) for a in said]
    assert worth == [a.number for a in model.predict([Input(t) for t in turns])]
    other = tried(base, {"reward": "model", "reward_model": run.id, "group": 3})
    with pytest.raises(ModelError, match="no reward model"):
        loop.run(*other.arguments(other.new_run(tmp_path)))


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ({"task": "classify", "objective": "policy"}, "nothing to learn from"),
        ({"objective": {"name": "policy", "reward": "model"}}, "go together"),
        ({"objective": {"name": "policy", "reward_model": "last"}}, "go together"),
        ({"objective": {"name": "policy", "group": 1}}, "greater than or equal to 2"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(recipe: dict[str, Any], what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"task": "generate", "base": "x", "data": {"train": "rows.jsonl"}, **recipe})
    assert what in f"{caught.value.what} {caught.value.problems} {caught.value.do}"
