"""Continued pre-training: every token once, the usual loss, perplexity that falls."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from afina.errors import ModelError
from afina.models.load import load
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.tasks import Text
from afina.types import IGNORED, TextExample
from tests.objectives.pairs import Tried
from tests.objectives.test_whole_runs import run, scores_of
from tests.tiny import Kind

LONG = "The lights of the kitchen are on and the door of the garage is closed. " * 6


def example(text: str, number: int = 0) -> TextExample:
    return TextExample(id=f"text-{number}", where=f"texts.txt: row {number}", text=text)


@pytest.mark.parametrize("overlap", [0, 5])
@pytest.mark.parametrize("window", [16, 33])
def test_every_token_but_the_first_is_learned_once(
    tiny: Callable[[Kind], Base], window: int, overlap: int
) -> None:
    model = load(tiny("llama"), Text(window=window, overlap=overlap))
    ids = model.renderer.text(LONG)
    row = model.task.encode(example(LONG), model.renderer)
    learned = [t for part in row.sequences for t in part.targets if t != IGNORED]
    assert tuple(learned) == ids[1:]
    assert row.longest <= window
    for part in row.sequences[1:]:
        seen = next(i for i, t in enumerate(part.targets) if t != IGNORED)
        assert seen == overlap + 1


def test_the_perplexity_of_one_stretch_is_that_of_transformers(
    tiny: Callable[[Kind], Base],
) -> None:
    base = tiny("llama")
    tried = Tried(
        base,
        "continue",
        [example(LONG[:90] + str(i), i) for i in range(6)],
        task={"name": "text", "window": 128},
        held=1,
    )
    model = tried.model()
    batch = tried.batch(model, tried.rows.kept[:1])
    loss = tried.plan.recipe.objective.loss(model.network, batch)
    ids = torch.tensor([tried.rows.kept[0].ids])
    with torch.no_grad():
        expected = float(model.network.core(input_ids=ids, labels=ids).loss)
    assert float(loss.total.detach()) / loss.weight == pytest.approx(expected, rel=1e-5)
    (nats,) = TunedModel(model).negative_log_likelihood([tried.examples[1]])
    assert nats[0] / nats[1] == pytest.approx(expected, rel=1e-5)


def test_a_long_text_is_measured_whole(tiny: Callable[[Kind], Base]) -> None:
    model = load(tiny("llama"), Text(window=20))
    ((nats, count),) = TunedModel(model).negative_log_likelihood([example(LONG)])
    assert count == len(model.renderer.text(LONG)) - 1
    assert math.isfinite(nats)


def test_perplexity_falls_by_recipe(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    words = ["door", "kitchen", "garage", "light", "closed", "open", "Madrid"]
    path = tmp_path / "texts.jsonl"
    texts = [
        f"The {words[i % 7]} of the {words[i % 5]} is {words[i % 3]}. {LONG[: 40 + i]}"
        for i in range(60)
    ]
    path.write_text("".join(f"{json.dumps({'text': t})}\n" for t in texts), encoding="utf-8")
    outcome = run(
        tiny("llama"), tmp_path, path, task={"name": "text", "window": 32}, objective="continue"
    )
    scores = scores_of(outcome)
    assert set(scores) == {"tuned", "base"}
    assert scores["tuned"]["perplexity"] < 0.5 * scores["base"]["perplexity"]
    with pytest.raises(ModelError, match="fewer than a stretch"):
        run(tiny("llama"), tmp_path, path, task={"name": "text"}, objective="continue")
    with pytest.raises(ModelError, match="without the head"):
        run(
            tiny("minilm"),
            tmp_path,
            path,
            task={"name": "text", "window": 32},
            objective="continue",
        )
