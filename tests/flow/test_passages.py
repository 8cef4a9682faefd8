"""Tuning and documents together: learned, measured, answered and served with passages."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina import flow
from afina.errors import DataError, RunError
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import Recipe, parse_recipe
from afina.retrieval import Rag
from afina.store import Run
from afina.types import ChatExample, Input, Message
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


@pytest.fixture
def recipe(tiny: Tiny, tmp_path: Path) -> Callable[..., Recipe]:
    names = [f"{a}{b}" for a in ("lamp", "door", "boiler", "gate") for b in "abcdef"]
    rows = [{"prompt": f"where is the {n}", "completion": f"in room {i}"}
            for i, n in enumerate(names)]  # fmt: skip
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", "utf-8")
    (tmp_path / "docs").mkdir()
    for i, name in enumerate(names):
        (tmp_path / "docs" / f"{name}.md").write_text(f"The {name} is in room {i}.", "utf-8")

    def make(**retrieval: Any) -> Recipe:
        return parse_recipe(
            {
                "task": {"name": "generate", "max_new_tokens": 4},
                "base": str(tiny("llama").folder),
                "data": {"train": str(tmp_path / "rows.jsonl")},
                "method": "lora",
                "train": {"max_steps": 2, "batch_size": 4, "threads": 1},
                "evaluate": {"baselines": ["rag"], "scorers": ["chrf", "perplexity"]},
                "retrieval": {"documents": str(tmp_path / "docs"), "passages": 1, **retrieval},
            }
        )

    return make


def test_rows_are_learned_and_questions_asked_with_the_same_passages(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    asked = recipe(learn=True)
    ready, plain = flow.prepare(asked, tmp_path), flow.prepare(recipe(), tmp_path)
    assert ready.only.documents and not plain.only.documents
    row, example = ready.only.rows.kept[0], ready.only.dataset.train[0]
    assert isinstance(example, ChatExample)
    text = "".join(piece for piece, _ in ready.renderer.pieces(row))
    assert f"[{example.messages[0].content.rsplit(' ', 1)[1]}.md]" in text
    assert min(len(r.ids) for r in ready.only.rows.kept) > max(
        len(r.ids) for r in plain.only.rows.kept
    )
    run, outcome = flow.run_recipe(asked, tmp_path / "home")
    candidates = {c["name"]: c for c in outcome["report"]["candidates"]}
    assert set(candidates["tuned"]["scores"]) == {"chrf", "perplexity"}
    costs = outcome["report"]["costs"]
    assert costs["tuned"]["prompt_tokens"] == costs["rag"]["prompt_tokens"]
    model = TunedModel.open(run.model_folder)
    found = flow.as_asked(flow.recipe_of(run), model)
    assert isinstance(found, Rag)
    given = Input((Message("user", "where is the gatec"),))
    (answer,) = found.predict([given])
    assert answer.sources == ("gatec.md",)
    assert answer.prompt_tokens == len(
        model.prompt(found.with_sources([given])[0].given)
    ) > len(model.prompt(given))  # fmt: skip
    assert flow.as_asked(recipe(), model) is model


def test_a_resumed_run_wants_the_same_documents(
    recipe: Callable[..., Recipe], tmp_path: Path
) -> None:
    run, _ = flow.train(recipe(learn=True), tmp_path / "home")
    Run.open(tmp_path / "home", run.id).set_status("interrupted")
    (tmp_path / "docs" / "lampa.md").write_text("The lampa was moved.", "utf-8")
    with pytest.raises(RunError, match="documents have changed"):
        flow.resume(tmp_path / "home", run.id)


def test_labels_are_not_learned_with_passages(
    recipe: Callable[..., Recipe], tiny: Tiny, tmp_path: Path
) -> None:
    (tmp_path / "labels.csv").write_text(
        "text,label\n" + "\n".join(f"text {i},{'ab'[i % 2]}" for i in range(40)) + "\n", "utf-8"
    )
    asked = recipe(learn=True).model_dump(mode="json", exclude_none=True)
    asked |= {"task": "classify", "base": str(tiny("minilm").folder), "evaluate": {},
              "data": {"train": str(tmp_path / "labels.csv")}}  # fmt: skip
    with pytest.raises(DataError, match="labels"):
        flow.prepare(parse_recipe(asked), tmp_path)
