"""A summary task from a file to a served model: checked, trained, measured, asked over HTTP."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from afina.errors import DataError
from afina.flow import check, prepare, run_recipe, show_loss
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.serve.app import create_app
from afina.types import Input, Message
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
WORDS = ["light", "door", "kitchen", "garage", "card", "weather", "rain", "capital", "France"]


def articles(count: int) -> list[dict[str, str]]:
    """Three sentences each; the summary is the middle one."""
    chance = random.Random(4)
    rows = []
    for _ in range(count):
        said = [" ".join(chance.choices(WORDS, k=5)).capitalize() + "." for _ in range(3)]
        rows.append({"article": " ".join(said), "summary": said[1]})
    return rows


def recipe(base: Base, folder: Path, rows: list[Any], **more: Any) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    value = {
        "task": "transform",
        "base": str(base.folder),
        "data": {"train": str(path)},
        "train": {"device": "cpu", "threads": 1, "epochs": 1, "precision": "float32"},
        "evaluate": {"resamples": 100},
    }
    return parse_recipe(value | more)


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_from_a_file_to_an_answer_over_http(tiny: Tiny, tmp_path: Path, kind: Kind) -> None:
    rows = articles(60)
    wanted = recipe(tiny(kind), tmp_path, rows, method={"name": "lora", "rank": 4})
    found = check(wanted)
    assert found.task.kind == "summary"  # type: ignore[attr-defined]
    _, outcome = run_recipe(wanted, tmp_path)
    report = outcome["report"]
    assert report["metric"] == "rouge_l"
    named = {c["name"]: c for c in report["candidates"]}
    assert set(named) == {"tuned", "lead", "nearest", "zero_shot"}
    assert all(c.get("failure") is None for c in named.values())
    for name in ("tuned", "zero_shot"):
        assert {"rouge_l", "rouge_1", "rouge_2", "chrf", "perplexity"} <= set(named[name]["scores"])
    # The middle sentence is a third of the source: three first ones hold it, one does not.
    assert named["lead"]["scores"]["rouge_1"]["value"] > 0.4
    folder = Path(outcome["folder"])
    assert "ROUGE-2" in (folder / "report.html").read_text("utf-8")
    model = TunedModel.open(folder / "model", device="cpu", name="short")
    (answer,) = model.predict([Input((Message("user", rows[0]["article"]),))])
    client = TestClient(create_app([model], api_key=None), base_url="http://127.0.0.1")
    asked = {"model": "short", "prompt": rows[0]["article"]}
    said = client.post("/v1/completions", json=asked).json()
    assert said["choices"][0]["text"] == answer.text
    assert said["usage"]["prompt_tokens"] == answer.prompt_tokens
    refused = client.post(
        "/v1/chat/completions",
        json={"model": "short", "messages": [{"role": "user", "content": "a"}]},
    )
    assert refused.status_code == 400


def test_translations_by_their_columns(tiny: Tiny, tmp_path: Path) -> None:
    rows = [{"translation": {"en": r["article"], "es": r["article"][::-1]}} for r in articles(40)]
    data = {
        "train": str(tmp_path / "rows.jsonl"),
        "columns": {"source": "translation.en", "target": "translation.es"},
    }
    ready = prepare(recipe(tiny("t5"), tmp_path, rows, data=data), tmp_path)
    task = ready.plan.recipe.task
    assert (task.kind, task.baselines()[0], task.scorers()[1]) == ("translation", "copy", "bleu")
    assert ready.plan.recipe.method is not None
    assert ready.plan.recipe.method.name == "full"
    assert ready.plan.estimate.seconds > 0


def test_the_loss_shows_the_source_outside_of_it(tiny: Tiny, tmp_path: Path) -> None:
    (row,) = show_loss(recipe(tiny("t5"), tmp_path, articles(30)), 1)
    (read, counts), *_, (written, learned) = row.pieces
    assert (counts, learned) == (False, True)
    assert ".</s>" in read
    assert written.endswith("</s>")


def test_a_conversation_is_no_pair_of_texts(tiny: Tiny, tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}] * 2
    with pytest.raises(DataError, match="is a conversation") as caught:
        check(recipe(tiny("t5"), tmp_path, [{"messages": turns}] * 12))
    assert "rows.jsonl: row 1" in caught.value.where


@pytest.mark.parametrize("part", ["source", "target"])
def test_what_is_too_long(tiny: Tiny, tmp_path: Path, part: str) -> None:
    long = "red " * 300
    pair = {"article": long if part == "source" else "red blue", "summary": "red green"}
    if part == "target":
        pair["summary"] = long
    rows = [*articles(40), *({**pair, "summary": f"{pair['summary']} {i}"} for i in range(20))]
    with pytest.raises(DataError, match="cannot be learned"):
        prepare(recipe(tiny("t5"), tmp_path, rows), tmp_path)
    train = {"device": "cpu", "threads": 1, "on_too_long": "truncate"}
    if part == "target":
        with pytest.raises(DataError, match="the answer would be cut"):
            prepare(recipe(tiny("t5"), tmp_path, rows, train=train), tmp_path)
        return
    ready = prepare(recipe(tiny("t5"), tmp_path, rows, train=train), tmp_path)
    cut = [r for r in ready.only.rows.kept if len(r.source) == 256]
    assert len(cut) == ready.only.rows.truncated > 0
    assert all(r.source[-1] in ready.renderer.stop_ids for r in cut)
