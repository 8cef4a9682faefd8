"""Only a head learns: nothing of the base moves, it is worked once, and the head is a logistic model."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from afina.errors import RecipeError
from afina.flow import run_recipe
from afina.models.load import load
from afina.models.network import LabelNetwork
from afina.models.predictor import TunedModel
from afina.models.save import open_model
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.train import loop
from afina.train.loop import Training
from afina.train.weights import sha256_of
from afina.types import Input, LabelledExample, Message
from tests.tiny import Kind
from tests.train import small as rows_of
from tests.train.small import Small

Tiny = Callable[[Kind], Base]


@pytest.mark.parametrize("kind", ["bert", "minilm", "llama"])
def test_the_base_stays_and_only_a_head_is_saved(tiny: Tiny, tmp_path: Path, kind: Kind) -> None:
    small = Small(tiny(kind), "classify", "features", epochs=2)
    run = small.new_run(tmp_path)
    figures = loop.run(*small.arguments(run))
    assert figures["trainable_parameters"] == 3 * (small.base.hidden_size + 1)
    kept = {f.name for f in run.model_folder.iterdir() if f.suffix == ".safetensors"}
    assert kept == {"head.safetensors"}
    opened = open_model(run.model_folder, base=small.base)
    untuned = load(small.base, small.plan.recipe.task)
    assert sha256_of(opened.network.module.named_parameters()) == sha256_of(
        untuned.network.module.named_parameters()
    )


@pytest.mark.parametrize("kind", ["bert", "llama"])
@pytest.mark.parametrize("task", ["classify", "tag"])
def test_each_row_goes_through_the_base_once(
    tiny: Tiny, tmp_path: Path, kind: Kind, task: str
) -> None:
    small = Small(tiny(kind), task, "features", epochs=3)
    run = small.new_run(tmp_path)
    training = Training(*small.arguments(run), small.renderer, lambda _: None)
    (told,) = [e for e in run.events() if e["event"] == "bottom"]
    assert (told["how"], told["layers"]) == ("kept", 2)
    assert small.plan.parts.lowest == 1.0
    for name, parameter in training.model.network.core.named_parameters():
        if not name.startswith(("pooler", "norm")):  # these stand behind the layers
            parameter.data.fill_(float("nan"))  # whatever still went through it would be no number
    for step in range(6):
        assert np.isfinite(training.step(step)["loss"])


def test_in_passes_the_frozen_body_has_no_dropout(tiny: Tiny, tmp_path: Path) -> None:
    losses = {}
    for how in ("kept", "within"):
        start = {"head_start": "random"}
        small = Small(
            tiny("bert"), "classify", "features", knobs_of_task=start, epochs=2, frozen_bottom=how
        )
        run = small.new_run(tmp_path / how)
        loop.run(*small.arguments(run))
        losses[how] = [m["loss"] for m in run.metrics() if "loss" in m]
    assert losses["kept"] == pytest.approx(losses["within"], rel=1e-4)


def test_the_head_is_logistic_regression(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At enough steps from a random start: the optimum that scikit-learn finds on the same vectors."""
    chance = random.Random(1)
    words = [*rows_of.COLOURS, "door", "kitchen", "the"]  # each with both labels: a finite optimum
    texts = [words[i % 8] for i in range(120)]
    examples = [
        LabelledExample(id=str(i), where=f"row {i}", text=text, labels=(chance.choice("ab"),))
        for i, text in enumerate(texts)
    ]
    monkeypatch.setitem(rows_of.ROWS, "classify", lambda count: examples[:count])
    small = Small(
        tiny("minilm"),
        "classify",
        "features",
        knobs_of_task={"head_start": "random"},
        rows=112,
        held=8,
        epochs=1500,
        batch_size=112,
        evaluations_per_epoch=1,
        save_every_steps=10**6,
        weight_decay=0.0,
        gradient_clip=None,
        learning_rate=0.3,
    )
    training = Training(*small.arguments(small.new_run(tmp_path)), small.renderer, lambda _: None)
    network = training.model.network
    assert isinstance(network, LabelNetwork)
    with torch.no_grad():
        vectors = torch.cat(
            [
                network.pooled(torch.tensor([row.ids]), torch.tensor([len(row.ids)]))
                for row in small.rows.kept
            ]
        ).numpy()
    for step in range(1500):
        training.step(step)
    labels = [example.labels[0] for example in examples[:112]]
    theirs = LogisticRegression(C=np.inf, max_iter=20_000, tol=1e-10).fit(vectors, labels)
    asked = [Input((Message("user", text),)) for text in texts[:112]]
    network.eval()
    found = [answer.probabilities for answer in TunedModel(training.model).predict(asked)]
    ours = np.array([[own["a"], own["b"]] for own in found if own is not None])
    best = log_loss(labels, theirs.predict_proba(vectors))
    assert log_loss(labels, ours) == pytest.approx(best, abs=2e-4)
    assert np.abs(ours - theirs.predict_proba(vectors)).max() < 0.02


@pytest.mark.parametrize("task", ["generate", "embed"])
def test_tasks_without_a_new_head_are_refused(task: str) -> None:
    recipe = {"task": task, "base": "x", "data": {"train": "x.jsonl"}, "method": "features"}
    with pytest.raises(RecipeError, match="method features moves nothing but a new head"):
        parse_recipe(recipe)


def test_a_reward_model_over_frozen_vectors(tiny: Tiny, tmp_path: Path) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text(
        "\n".join(
            f'{{"prompt": "door {i}", "chosen": "red light {i}", "rejected": "rain {i}"}}'
            for i in range(40)
        ),
        "utf-8",
    )
    value: dict[str, Any] = {
        "task": "score",
        "objective": "reward",
        "method": "features",
        "base": str(tiny("minilm").folder),
        "data": {"train": str(data)},
        "train": {"device": "cpu", "threads": 1, "epochs": 5, "precision": "float32"},
        "evaluate": {"resamples": 100},
    }
    _, outcome = run_recipe(parse_recipe(value), tmp_path)
    tuned = next(c for c in outcome["report"]["candidates"] if c["name"] == "tuned")
    assert tuned["scores"]["preference_accuracy"]["value"] == 1.0
