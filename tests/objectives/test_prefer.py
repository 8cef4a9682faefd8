"""The preference losses and their gradients are those of TRL on the same batch; runs resume exactly."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import Interrupted, RecipeError
from afina.models.load import Model
from afina.models.sources import Base
from afina.train import loop
from afina.train.loop import Step
from afina.types import IGNORED, Batch, Encoded
from tests.objectives.pairs import Tried, judged, nudge, pairs
from tests.tiny import Kind

pytestmark = pytest.mark.filterwarnings("ignore")


def gradients(model: Model) -> dict[str, torch.Tensor]:
    found = {n.removeprefix("module."): p.grad for n, p in model.trained().items()}
    return {n: g.clone() for n, g in found.items() if g is not None}


def ours(tried: Tried) -> tuple[float, Model, Batch, Model]:
    """Our loss with its gradients in the moved model; and the batch, and the model it began as."""
    reference, model = tried.model(), tried.model()
    rows = tried.noted(reference)
    nudge(model)
    batch = tried.batch(model, rows)
    model.network.eval()
    loss = tried.plan.recipe.objective.loss(model.network, batch)
    (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
    return float(loss.total.detach()) / loss.weight, model, batch, reference


def module_of(model: Model) -> Any:
    return model.network.module


def trainer_of(kind: str, tried: Tried, model: Model, folder: Path, **knobs: Any) -> Any:
    """A TRL trainer around a copy of our moved model, with no gradients yet."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    if kind == "dpo":
        from trl import DPOConfig as Config
        from trl import DPOTrainer as Trainer
    elif kind == "kto":
        from trl import KTOConfig as Config
        from trl import KTOTrainer as Trainer
    elif kind == "orpo":
        from trl.experimental.orpo import ORPOConfig as Config
        from trl.experimental.orpo import ORPOTrainer as Trainer
    else:
        from trl.experimental.cpo import CPOConfig as Config
        from trl.experimental.cpo import CPOTrainer as Trainer
    import copy

    one = {"prompt": "a ", "chosen": "b", "rejected": "c d"}
    rows = [one] * 4
    if kind == "kto":
        rows = [{"prompt": "a ", "completion": "b", "label": i % 2 == 0} for i in range(4)]  # type: ignore[misc]
    options = {"bf16": False, "use_cpu": True, "report_to": [], "output_dir": str(folder)}
    if kind in ("dpo", "kto"):
        options["precompute_ref_log_probs"] = True
    network = copy.deepcopy(module_of(model))
    network.zero_grad()
    trainer = Trainer(
        model=network,
        args=Config(**options, **knobs),
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(tried.base.folder),
    )
    trainer.model.eval()
    return trainer


def same_as(trainer: Any, loss: torch.Tensor, value: float, model: Model) -> None:
    """The loss and every gradient agree to 1e-5."""
    assert value == pytest.approx(float(loss.detach()), rel=1e-5, abs=1e-6)
    loss.backward()  # type: ignore[no-untyped-call]
    theirs = {n: p.grad for n, p in trainer.model.named_parameters() if p.grad is not None}
    mine = gradients(model)
    assert set(theirs) == set(mine)
    for name, gradient in mine.items():
        assert torch.allclose(gradient, theirs[name], atol=1e-5, rtol=1e-4), name


def inputs_of(batch: Batch) -> dict[str, torch.Tensor]:
    """Ids, attention mask and answer mask; the padding at the right is masked."""
    inside = torch.arange(batch.ids.shape[1])[None, :] < batch.lengths[:, None]
    return {
        "input_ids": batch.ids,
        "attention_mask": inside.long(),
        "completion_mask": (batch.targets != IGNORED).long(),
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trl")


@pytest.mark.parametrize(
    ("knobs", "theirs"),
    [
        ({}, {"loss_type": ["sigmoid"]}),
        ({"beta": 0.5}, {"loss_type": ["sigmoid"], "beta": 0.5}),
        ({"kind": "ipo"}, {"loss_type": ["ipo"]}),
        ({"by_token": True, "beta": 0.7}, {"loss_type": ["sigmoid_norm"], "beta": 0.7}),
        ({"supervised": 0.3}, {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, 0.3]}),
    ],
    ids=str,
)
def test_equals_dpo_of_trl(
    tiny: Callable[[Kind], Base], folder: Path, knobs: Any, theirs: dict[str, Any]
) -> None:
    tried = Tried(tiny("llama"), {"name": "prefer", **knobs}, pairs(9))
    value, model, batch, _ = ours(tried)
    trainer = trainer_of("dpo", tried, model, folder, **theirs)
    better = torch.arange(0, len(batch.ids), 2)
    order = torch.cat([better, better + 1])
    inputs = {name: tensor[order] for name, tensor in inputs_of(batch).items()}
    assert batch.noted is not None
    inputs["ref_chosen_logps"] = batch.noted[0::2, 0]
    inputs["ref_rejected_logps"] = batch.noted[1::2, 0]
    same_as(trainer, trainer._compute_loss(trainer.model, inputs, False), value, model)


def concatenated(batch: Batch) -> dict[str, torch.Tensor]:
    """The batch as the older trainers take it: chosen and rejected apart."""
    inputs = inputs_of(batch)
    found: dict[str, torch.Tensor] = {}
    for start, name in enumerate(("chosen", "rejected")):
        found[f"{name}_input_ids"] = inputs["input_ids"][start::2]
        found[f"{name}_attention_mask"] = inputs["attention_mask"][start::2]
        found[f"{name}_labels"] = batch.targets[start::2]
    return found


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_equals_simpo_of_trl(tiny: Callable[[Kind], Base], folder: Path, smoothing: float) -> None:
    knobs = {"kind": "simpo", "beta": 2.5, "margin": 0.8, "label_smoothing": smoothing}
    tried = Tried(tiny("llama"), {"name": "prefer", **knobs}, pairs(9))
    value, model, batch, _ = ours(tried)
    assert batch.noted is None
    config = {"loss_type": "simpo", "beta": 2.5, "simpo_gamma": 0.8, "cpo_alpha": 0.0}
    trainer = trainer_of("cpo", tried, model, folder, label_smoothing=smoothing, **config)
    loss, _ = trainer.get_batch_loss_metrics(trainer.model, concatenated(batch))
    same_as(trainer, loss, value, model)


def test_equals_orpo_of_trl(tiny: Callable[[Kind], Base], folder: Path) -> None:
    """TRL's supervised part counts the prompt too, and ours the answer only, as in the paper. After
    a prompt of one token both are the same."""
    tried = Tried(tiny("llama"), {"name": "prefer", "kind": "orpo", "beta": 0.4}, pairs(9))
    short = tuple(one_token_prompt(row) for row in tried.rows.kept)
    model = tried.model()
    nudge(model)
    batch = tried.batch(model, short)
    loss = tried.plan.recipe.objective.loss(model.network.eval(), batch)
    (loss.total / loss.weight).backward()  # type: ignore[no-untyped-call]
    trainer = trainer_of("orpo", tried, model, folder, beta=0.4)
    theirs, _ = trainer.get_batch_loss_metrics(trainer.model, concatenated(batch))
    same_as(trainer, theirs, float(loss.total.detach()) / loss.weight, model)


def one_token_prompt(row: Encoded) -> Encoded:
    def cut(one: Encoded) -> Encoded:
        begin = next(i for i, t in enumerate(one.targets) if t != IGNORED)
        inside = [i for i, t in enumerate(one.targets) if t != IGNORED]
        ids = one.ids[begin - 1 : inside[-1] + 1]
        return Encoded(one.row, ids, (IGNORED, *ids[1:]), worth=one.worth)

    from dataclasses import replace

    return replace(cut(row), others=tuple(cut(other) for other in row.others))


@pytest.mark.parametrize("make", [pairs, judged], ids=["pairs", "judged"])
def test_equals_kto_of_trl(
    tiny: Callable[[Kind], Base], folder: Path, make: Callable[[int], Any]
) -> None:
    knobs = {"kind": "kto", "beta": 0.3, "good_weight": 1.3, "bad_weight": 0.7}
    tried = Tried(tiny("llama"), {"name": "prefer", **knobs}, make(10))
    value, model, batch, _ = ours(tried)
    assert batch.worth is not None
    assert batch.noted is not None
    own, other = batch.only(batch.worth != 0), batch.only(batch.worth == 0)
    assert len(own.ids) == len(other.ids)
    config = {"beta": 0.3, "desirable_weight": 1.3, "undesirable_weight": 0.7}
    trainer = trainer_of("kto", tried, model, folder, **config)
    inputs = inputs_of(own) | {f"KL_{n}": t for n, t in inputs_of(other).items()}
    assert own.worth is not None
    assert own.noted is not None
    assert other.noted is not None
    inputs |= {"label": own.worth > 0, "ref_logps": own.noted[:, 0]}
    inputs |= {"ref_KL_logps": other.noted[:, 0]}
    same_as(trainer, trainer._compute_loss(trainer.model, inputs, False), value, model)


def test_a_mismatch_is_an_answer_to_another_prompt(tiny: Callable[[Kind], Base]) -> None:
    tried = Tried(tiny("llama"), {"name": "prefer", "kind": "kto"}, pairs(12), held=0)
    longest = max(s.longest for s in Tried(tiny("llama"), "prefer", pairs(12), held=0).rows.kept)
    assert tried.rows.longest == longest
    begins = [
        s.ids[: next(i for i, t in enumerate(s.targets) if t != IGNORED)]
        for row in tried.rows.kept
        for s in row.sequences
    ]
    answers = {
        (p, s.ids[len(p) :]) for p, s in zip(begins, sequences(tried), strict=True) if s.worth
    }
    found = 0
    for prompt, sequence in zip(begins, sequences(tried), strict=True):
        if sequence.worth:
            continue
        found += 1
        answer = sequence.ids[len(prompt) :]
        assert (prompt, answer) not in answers
        assert any(a == answer for _, a in answers)
    assert found == 24


def sequences(tried: Tried) -> list[Encoded]:
    return [s for row in tried.rows.kept for s in row.sequences]


KINDS = ["dpo", "ipo", "orpo", "kto", "simpo"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["full", {"name": "lora", "rank": 4, "dropout": 0.2}], ids=str)
def test_resumed_is_uninterrupted_and_the_cut_of_the_batch_is_no_matter(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: str, method: Any
) -> None:
    def tried(**train: Any) -> Tried:
        objective = {"name": "prefer", "kind": kind}
        return Tried(
            tiny("llama"), objective, pairs(16), method=method, save_every_steps=2, **train
        )

    one = tried(learning_rate=5e-3)
    whole = loop.run(*one.arguments(one.new_run(tmp_path / "whole")))
    for stop_at in (1, 4):
        run = one.new_run(tmp_path / f"cut{stop_at}")

        def interrupt(step: Step, at: int = stop_at) -> None:
            if step.step == at and step.loss is not None:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted):
            loop.run(*one.arguments(run), watch=interrupt)
        resumed = loop.run(*one.arguments(run))
        assert resumed["weights_sha256"] == whole["weights_sha256"]
    if method == "full":
        losses = []
        for size in (4, 1):
            cut = tried(learning_rate=5e-3, micro_batch_size=size)
            run = cut.new_run(tmp_path / f"micro{size}")
            loop.run(*cut.arguments(run))
            losses.append([m["loss"] for m in run.metrics() if "loss" in m])
        assert losses[0] == pytest.approx(losses[1], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_learns_to_prefer(tiny: Callable[[Kind], Base], tmp_path: Path, kind: str) -> None:
    """On held-out pairs the better answer gains on the worse one."""
    rows = pairs(40)
    knobs = {"learning_rate": 3e-3, "epochs": 6, "batch_size": 8, "early_stopping": None}
    tried = Tried(tiny("llama"), {"name": "prefer", "kind": kind}, rows, held=10, **knobs)
    run = tried.new_run(tmp_path)
    loop.run(*tried.arguments(run))
    from afina.evaluate.preference import answered
    from afina.models.predictor import TunedModel

    tuned = TunedModel.open(run.model_folder, base=tried.base)
    before = TunedModel(tried.model())
    leads = []
    for predictor in (tuned, before):
        nats = [predictor.negative_log_likelihood(answered(e)) for e in rows[:10]]
        leads.append([worse[0] - better[0] for better, worse in nats])
    gained = [now > then for now, then in zip(*leads, strict=True)]
    assert sum(gained) >= 8


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ({"objective": {"name": "prefer", "margin": 0.5}}, "margin is of no use with kind: dpo"),
        (
            {"objective": {"name": "prefer", "kind": "kto", "supervised": 1}},
            "no use with kind: kto",
        ),
        ({"objective": "prefer", "task": "classify"}, "nothing to learn from"),
        ({"objective": {"name": "prefer", "kind": "ppo"}}, "dpo"),
        ({"objective": {"name": "prefer", "beta": 0}}, "greater than 0"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(recipe: dict[str, Any], what: str) -> None:
    from afina.recipe import parse_recipe

    with pytest.raises(RecipeError) as caught:
        parse_recipe({"task": "generate", "base": "x", "data": {"train": "rows.jsonl"}, **recipe})
    assert what in f"{caught.value.what} {caught.value.problems} {caught.value.do}"
