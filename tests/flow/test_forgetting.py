"""What a run forgets is measured: an overfitted model is held, whatever it gained on its task."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import RecipeError
from afina.evaluate.probe import Probe
from afina.flow import run_recipe
from afina.models.general import WINDOW, General, encode_general, tokens_read
from afina.models.load import load
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.tasks import Generate
from afina.types import IGNORED
from tests.flow.tiny_runs import measured, write
from tests.tiny import Kind

ROWS = [{"prompt": f"colour {i}", "completion": "red green blue"} for i in range(60)]


def tuned(tiny: Callable[[Kind], Base], folder: Path, **knobs: Any) -> dict[str, Any]:
    task = {"name": "generate", "max_new_tokens": 4}
    quick = {"baselines": [], "scorers": ["perplexity"], "resamples": 200}
    knobs.setdefault("evaluate", {}).update(quick)
    return measured(folder, tiny("llama"), task, ROWS, **knobs)


def test_an_overfitted_model_is_held(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    """A high rate on rows with one answer: better than every baseline, and its language is gone."""
    recipe = {
        "task": {"name": "generate", "max_new_tokens": 4},
        "base": str(tiny("llama").folder),
        "data": {"train": str(write(tmp_path, ROWS))},
        "method": "full",
        "train": {"max_steps": 24, "batch_size": 8, "threads": 1, "learning_rate": 2e-2},
        "evaluate": {"scorers": ["perplexity"], "baselines": ["zero_shot"], "resamples": 200},
    }
    run, found = run_recipe(parse_recipe(recipe), tmp_path)
    report = found["report"]
    probe = report["probe"]["scores"]["perplexity"]
    assert probe["after"]["value"] > 1.2 * probe["before"]["value"]
    assert report["verdict"] == "hold"
    assert [r["code"] for r in report["statements"]["reasons"]] == ["forgot_texts", "beats"]
    page = (run.folder / "report.html").read_text("utf-8")
    assert "What it knew before" in page and "Lo que sabía antes" in page


def test_a_model_that_hardly_moved_forgot_nothing(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    steps = {"max_steps": 1, "batch_size": 8, "threads": 1, "learning_rate": 1e-6}
    found = tuned(tiny, tmp_path, method="lora", train=steps)
    report = found["report"]
    assert report["probe"]["questions"] == 30 and report["probe"]["texts"] == 10
    assert report["probe"]["scores"]["right"]["difference"]["difference"] == 0.0
    assert report["verdict"] != "hold"
    plan = json.loads((Path(found["folder"]) / "plan.json").read_text("utf-8"))
    (line,) = (d for d in plan["derived"] if d["key"] == "evaluate.probe")
    assert line["value"] == 40 and "before and after: about" in line["reason"]


def test_the_probe_can_be_left_out(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    steps = {"max_steps": 1, "batch_size": 8, "threads": 1}
    found = tuned(tiny, tmp_path, method="lora", train=steps, evaluate={"probe": False})
    assert found["report"]["probe"] == {}


def test_only_a_model_that_writes_can_be_asked() -> None:
    recipe = {"base": "some/encoder", "data": {"train": "rows.csv"}}
    with pytest.raises(RecipeError, match="writes text"):
        parse_recipe({"task": "classify", **recipe, "evaluate": {"probe": 20}})
    assert parse_recipe({"task": "classify", **recipe, "evaluate": {"probe": False}})
    assert parse_recipe({"task": "generate", **recipe, "evaluate": {"probe": True}})


@pytest.mark.parametrize("kind", ["llama", "gemma", "gpt2"])
def test_the_likelihoods_are_those_of_transformers(
    tiny: Callable[[Kind], Base], kind: Kind
) -> None:
    """Whatever the task says, and however rows are laid: each item by itself, by the plain model."""
    task = Generate(system="Answer with one word.", answer="text")
    model = load(tiny(kind), task)
    items = [*Probe.of(8).examples]
    found = General(model).negative_log_likelihood(items)
    rows = encode_general(items, model.renderer, min(WINDOW, model.context_length))
    plain = load(tiny(kind), task, exact=True).network.core
    for row, (nats, count) in zip(rows, found, strict=True):
        own = 0.0
        for part in row.sequences:
            ids = torch.tensor([part.ids])
            targets = torch.tensor([part.targets])
            with torch.no_grad():
                logprobs = plain(input_ids=ids).logits.log_softmax(-1)[0, :-1]
            wanted = targets[0, 1:]
            counted = wanted != IGNORED
            own -= float(logprobs[counted].gather(1, wanted[counted][:, None]).sum())
        assert nats == pytest.approx(own, rel=1e-4)
        assert count == sum(t != IGNORED for part in row.sequences for t in part.targets[1:])
    assert "one word" not in model.renderer.decode(rows[0].ids)
    assert tokens_read(rows) < sum(row.tokens for row in rows)
