"""Search and recommendation from a file to a served model: checked, trained, measured, asked."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from afina.cli import command_line
from afina.door import Run as OpenRun
from afina.errors import DataError, RecipeError
from afina.flow import candidates_of, check, run_recipe
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.serve.app import create_app
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
WORDS = ["light", "door", "kitchen", "garage", "card", "weather", "rain", "capital", "france"]


def recipe(base: Base, folder: Path, task: str, rows: list[Any], **more: Any) -> Any:
    path = folder / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows), "utf-8")
    value = {
        "task": task,
        "base": str(base.folder),
        "data": {"train": str(path)},
        "train": {
            "device": "cpu",
            "threads": 1,
            "epochs": 2,
            "precision": "float32",
            "batch_size": 8,
            "micro_batch_size": 4,
        },
        "evaluate": {"resamples": 100},
    }
    return parse_recipe(value | more)


def pairs(count: int) -> list[dict[str, Any]]:
    chance = random.Random(2)
    rows = []
    for i in range(count):
        said = chance.sample(WORDS, 4)
        row: dict[str, Any] = {"query": f"{said[0]} {i}", "passage": f"{' '.join(said)} {i}"}
        rows.append(row | ({"negative": f"green {i}"} if i % 3 == 0 else {}))
    return rows


@pytest.mark.parametrize("method", ["full", "lora"])
def test_search(tiny: Tiny, tmp_path: Path, method: str) -> None:
    rows = pairs(60)
    run, outcome = run_recipe(
        recipe(tiny("minilm"), tmp_path, "embed", rows, method=method), tmp_path
    )
    report = outcome["report"]
    assert (report["metric"], outcome["train"]["objective"]) == ("ndcg", "contrast")
    named = {c["name"]: c for c in report["candidates"]}
    assert set(named) == {"tuned", "bm25", "vectors"}
    assert all(c.get("failure") is None for c in named.values())
    for candidate in named.values():
        scores = {name: score["value"] for name, score in candidate["scores"].items()}
        assert 0 <= scores["recall_at_1"] <= scores["recall_at_10"] <= 1
        assert scores["recall_at_1"] <= scores["mrr"] <= 1
    # The number of a query stands in its passage and, at most, in one other text.
    assert named["bm25"]["scores"]["recall_at_10"]["value"] == 1.0
    assert "NDCG" in (run.folder / "report.html").read_text("utf-8")
    model = TunedModel.open(run.model_folder, device="cpu", name="search")
    client = TestClient(create_app([model], api_key=None), base_url="http://127.0.0.1")
    asked = {"model": "search", "input": ["light door", "rain"], "input_type": "passage"}
    found = client.post("/v1/embeddings", json=asked).json()["data"]
    vectors = np.array([one["embedding"] for one in found])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors.tolist() == model.embed(["light door", "rain"], "passage")
    (answer,) = OpenRun(run).predict([{"query": "light door"}])
    texts = {t for row in rows for t in (row["passage"], row.get("negative"))}
    assert len(answer.labels) == 10
    assert set(answer.labels) <= texts
    assert answer.facts() == {"ranked": list(answer.labels)}
    asked = {"model": "search", "query": "light door", "documents": candidates_of(run)}
    found = client.post("/v1/rerank", json=asked | {"top_n": 10}).json()["results"]
    assert [one["document"]["text"] for one in found] == list(answer.labels)


def histories(count: int) -> list[dict[str, Any]]:
    """Who chose a thing of a kind goes on with the usual thing of that kind."""
    chance = random.Random(3)
    kinds = {"red": ["red card", "red door"], "blue": ["blue rain", "blue light"]}
    usual = {"red": "red kitchen", "blue": "blue garage"}
    rows = []
    for i in range(count):
        kind = "red" if i % 3 else "blue"
        before = [f"{chance.choice(kinds[kind])} {i}" for _ in range(2)]
        rows.append({"history": before, "item": usual[kind]})
    return rows


def test_recommendation(
    tiny: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, outcome = run_recipe(
        recipe(tiny("minilm"), tmp_path, "rank", histories(60), method="full"), tmp_path
    )
    named = {c["name"]: c for c in outcome["report"]["candidates"]}
    assert set(named) == {"tuned", "popular", "neighbours", "bm25", "vectors"}
    assert all(c.get("failure") is None for c in named.values())
    values = {name: c["scores"]["hit_at_1"]["value"] for name, c in named.items()}
    assert values["neighbours"] == 1.0
    assert 0 < values["popular"] < 1  # it gives everybody what most chose
    (answer,) = OpenRun(run).predict([{"history": ["red card 7", "red door 7"]}])
    assert set(answer.labels) == {"red kitchen", "blue garage"}
    file = tmp_path / "asked.jsonl"
    file.write_text(json.dumps({"history": ["red card 7", "red door 7"]}), "utf-8")
    capsys.readouterr()
    assert command_line(["predict", run.id, str(file), "--home", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["ranked"] == list(answer.labels)
    monkeypatch.setattr("sys.stdin", io.StringIO("red card 7 | red door 7\n"))
    assert command_line(["chat", run.id, "--home", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert all(label in said for label in answer.labels)


def test_rows_that_were_not_clicked_are_counted(tiny: Tiny, tmp_path: Path) -> None:
    rows = [
        {"query": f"light {i}", "item": f"{WORDS[i % 5]} {i % 7}", "clicked": i % 3 != 0}
        for i in range(60)
    ]
    found = check(recipe(tiny("minilm"), tmp_path, "rank", rows))
    assert found.check.as_dict()["dropped"]["not_clicked"] == 20


def test_what_cannot_be_learned_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="every query has the same text"):
        check(recipe(tiny("minilm"), tmp_path, "embed",
                     [{"query": f"a {i}", "positive": "b"} for i in range(20)]))  # fmt: skip
    wrong = [{"query": "a", "positive": "b", "negatives": ["c", "b"]}]
    with pytest.raises(DataError, match="belongs to the query stands there too"):
        check(recipe(tiny("minilm"), tmp_path, "embed", wrong))
    with pytest.raises(RecipeError, match="nothing to learn from"):
        recipe(tiny("minilm"), tmp_path, "embed", wrong, objective="supervised")
    with pytest.raises(RecipeError, match="nothing to learn from"):
        recipe(tiny("minilm"), tmp_path, "classify", wrong, objective="contrast")
