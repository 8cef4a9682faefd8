"""The reward model: TRL's loss and gradients, a linear start, held-out pairs, exact resume."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import Interrupted, RecipeError
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.train import loop
from afina.train.batches import collate
from afina.train.loop import Step
from afina.types import PreferenceExample
from tests.objectives.pairs import Tried, nudge, pairs
from tests.objectives.test_whole_runs import run, scores_of, write
from tests.tiny import Kind

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("centre", [0.0, 0.02])
def test_equals_trl(tiny: Callable[[Kind], Base], tmp_path: Path, centre: float) -> None:
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    base = tiny("llama")
    tried = Tried(base, {"name": "reward", "centre": centre}, pairs(9), task="score")
    model = tried.model()
    nudge(model)
    assert model.network.head is not None
    torch.nn.init.zeros_(
        model.network.head.bias
    )  # theirs has none; it matters to the sum of a pair
    model.network.eval()
    batch = collate(tried.rows.kept, kind="nothing", device=model.device)
    loss = tried.plan.recipe.objective.loss(model.network, batch)
    (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]

    theirs = AutoModelForSequenceClassification.from_pretrained(base.folder, num_labels=1)
    with torch.no_grad():
        for name, parameter in theirs.named_parameters():
            own = dict(model.network.named_parameters())
            key = f"module.{name.removeprefix('model.')}"
            parameter.copy_(model.network.head.weight if name == "score.weight" else own[key])
    tokenizer = AutoTokenizer.from_pretrained(base.folder)
    trainer = RewardTrainer(
        model=theirs,
        args=RewardConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to=[],
            center_rewards_coefficient=centre or None,
        ),
        train_dataset=Dataset.from_list([{"chosen": "a b", "rejected": "c"}] * 2),
        processing_class=tokenizer,
    )
    trainer.model.eval()
    trainer.model.config.pad_token_id = tokenizer.pad_token_id
    order = torch.cat([torch.arange(0, len(batch.ids), 2), torch.arange(1, len(batch.ids), 2)])
    inside = torch.arange(batch.ids.shape[1])[None, :] < batch.lengths[:, None]
    ids = batch.ids.masked_fill(~inside, tokenizer.pad_token_id)
    inputs = {"input_ids": ids[order], "attention_mask": inside.long()[order]}
    expected = trainer.compute_loss(trainer.model, inputs)
    expected.backward()
    assert float(loss.total.detach()) / loss.weight == pytest.approx(
        float(expected.detach()), rel=1e-5
    )
    grads = {n: p.grad for n, p in model.network.named_parameters() if p.grad is not None}
    for name, parameter in trainer.model.named_parameters():
        key = "head.weight" if name == "score.weight" else f"module.{name.removeprefix('model.')}"
        if parameter.grad is not None:
            assert torch.allclose(grads[key], parameter.grad, atol=1e-5, rtol=1e-4), name


@pytest.mark.parametrize(("kind", "start"), [("llama", "random"), ("minilm", "fitted")])
def test_a_run_orders_held_out_pairs_and_resumes(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind, start: str
) -> None:
    rows = pairs(50)
    task = {"name": "score", "head_start": start}
    tried = Tried(tiny(kind), "reward", rows, task=task, held=12, epochs=3, save_every_steps=3)
    whole = tried.new_run(tmp_path / "whole")
    figures = loop.run(*tried.arguments(whole))
    cut = tried.new_run(tmp_path / "cut")

    def interrupt(step: Step) -> None:
        if step.step == 5 and step.loss is not None:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        loop.run(*tried.arguments(cut), watch=interrupt)
    assert loop.run(*tried.arguments(cut))["weights_sha256"] == figures["weights_sha256"]
    tuned = TunedModel.open(whole.model_folder, base=tried.base)
    right = 0
    for example in rows[:12]:
        assert isinstance(example, PreferenceExample)
        (better, _), (worse, _) = tuned.negative_log_likelihood([example.better, example.worse])
        right += better < worse
    assert right >= 10


def test_by_recipe(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = write(tmp_path / "pairs.jsonl", pairs(80))
    outcome = run(tiny("llama"), tmp_path, rows, task="score", objective="reward")
    scores = scores_of(outcome)
    assert set(scores) == {"tuned", "longer", "base"}
    assert scores["tuned"]["preference_accuracy"] > 0.8
    assert scores["longer"]["preference_accuracy"] == 0.0, "the worse answers are longer here"


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ({"task": "generate", "objective": "reward"}, "take task: score"),
        ({"task": "score", "objective": "prefer"}, "compares answers that are written"),
        ({"task": "text", "objective": "reward"}, "nothing to learn from"),
        ({"task": "generate", "objective": "continue"}, "nothing to learn from"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(recipe: dict[str, Any], what: str) -> None:
    with pytest.raises(RecipeError) as caught:
        parse_recipe({"base": "x", "data": {"train": "rows.jsonl"}, **recipe})
    assert what in f"{caught.value.what} {caught.value.problems} {caught.value.do}"
