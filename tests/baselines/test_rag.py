"""RAG over tiny bases: as a baseline, over a tuned model, with vectors of a base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from afina.baselines import build
from afina.baselines.grounding import BaseVectors, open_index
from afina.baselines.rag import Grounded, ground
from afina.errors import DataError, RecipeError
from afina.models.load import load
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.recipe import Retrieval, load_recipe, parse_recipe
from afina.tasks import Classify, Generate
from afina.types import Input, Likelihood, Message
from tests.baselines.test_baselines import commands, labelled, questions
from tests.tiny import CONTEXT_LENGTH, Kind

Tiny = Callable[[Kind], Base]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "light.md").write_text("The lamp glows bright. Switch the light bulb. " * 4, "utf-8")
    (folder / "bank.txt").write_text("Pay cash to the bank account by card. " * 4, "utf-8")
    return folder


def settings(docs: Path, **knobs: object) -> Retrieval:
    given = {"documents": str(docs), "words": 20, "overlap": 4, "passages": 1, **knobs}
    return Retrieval.model_validate(given)


def test_the_baseline_answers_with_sources(tiny: Tiny, docs: Path) -> None:
    train, test = commands(12, 1), commands(4, 2)
    task = Generate(max_new_tokens=8).resolve(train)
    given = {"task": task, "train": train, "base": tiny("llama"), "device": "cpu"}
    found = build("rag", retrieval=settings(docs), **given)  # type: ignore[arg-type]
    assert isinstance(found, Grounded)
    plain = build("zero_shot", **given)  # type: ignore[arg-type]
    asked = questions(task, test)
    answers, without = found.predict(asked), plain.predict(asked)
    figures = found.describe()["retrieval"]
    assert {s for a in answers for s in a.sources} <= {"light.md", "bank.txt"}
    assert figures["passages"] > 0
    extra = sum(a.prompt_tokens for a in answers) - sum(a.prompt_tokens for a in without)
    assert extra == round(figures["tokens_added"] * 4)
    assert isinstance(found, Likelihood)
    assert all(nats > 0 for nats, _ in found.negative_log_likelihood(test))


def test_passages_that_the_base_has_no_room_for_are_dropped(tiny: Tiny, docs: Path) -> None:
    train = commands(12, 1)
    task = Generate(max_new_tokens=8).resolve(train)
    found = build(
        "rag",
        task=task,
        train=train,
        base=tiny("llama"),
        retrieval=settings(docs, passages=50, words=60),
        device="cpu",
    )
    answers = found.predict(questions(task, train))
    assert found.describe()["retrieval"]["dropped"] > 0
    assert all(a.prompt_tokens + 8 <= CONTEXT_LENGTH for a in answers)


def test_labels(tiny: Tiny, docs: Path) -> None:
    train = labelled(12, 1)
    task = Classify().resolve(train)
    found = build(
        "rag", task=task, train=train, base=tiny("llama"), retrieval=settings(docs), device="cpu"
    )
    answer = found.predict(questions(task, train[:1]))[0]
    assert answer.labels and answer.sources
    assert not isinstance(found, Likelihood)


def test_a_tuned_model_answers_from_documents_too(tiny: Tiny, docs: Path) -> None:
    given = settings(docs)
    model = TunedModel(load(tiny("llama"), Generate(max_new_tokens=4)))
    found = ground(model, open_index(given), given)
    (answer,) = found.predict([Input((Message("user", "which bank account"),))])
    assert answer.sources == ("bank.txt",)
    assert answer.prompt_tokens > model.count_tokens(
        Input((Message("user", "which bank account"),))
    )
    labels = TunedModel(load(tiny("minilm"), Classify(labels=("a", "b"), several=False)))
    with pytest.raises(DataError, match="classifier"):
        ground(labels, open_index(given), given)


def test_vectors_of_a_base_with_the_words_it_was_trained_with(tiny: Tiny, docs: Path) -> None:
    base = replace(tiny("minilm"), prompts=(("passage", "one "), ("query", "two ")))
    vectors, plain = BaseVectors(base), BaseVectors(tiny("minilm"))
    assert np.allclose(vectors.passages(["door"]), plain.passages(["one door"]))
    assert np.allclose(vectors.questions(["door"]), plain.passages(["two door"]))
    assert not np.allclose(vectors.questions(["door"]), vectors.passages(["door"]))
    assert vectors.fits("door") and not vectors.fits("door " * CONTEXT_LENGTH)
    told: list[str] = []
    index = open_index(settings(docs, way="both"), tiny("minilm"), say=told.append)
    assert "by words and vectors" in told[0]
    assert index.search(["lamp bulb"], 1)[0][0].passage.document == "light.md"


def test_what_cannot_be_is_said(tiny: Tiny, docs: Path, tmp_path: Path) -> None:
    train = commands(12, 1)
    task = Generate().resolve(train)
    with pytest.raises(RecipeError, match="names none"):
        build("rag", task=task, train=train, base=tiny("llama"))
    with pytest.raises(DataError, match="no such file"):
        open_index(settings(tmp_path / "nowhere"))


# ---------------------------------------------------------------------------- the recipe


def test_paths_are_taken_from_the_recipes_folder(tmp_path: Path, docs: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("", "utf-8")
    (tmp_path / "r.yaml").write_text(
        "task: generate\nbase: a/b\ndata: {train: rows.jsonl}\n"
        "retrieval: {documents: [docs, 'more/*.md'], embedder: ./local}\n",
        "utf-8",
    )
    found = load_recipe(tmp_path / "r.yaml").retrieval
    assert found is not None
    assert found.documents == (str(docs), str(tmp_path / "more/*.md"))
    assert found.embedder == str(tmp_path / "local")


@pytest.mark.parametrize(
    ("knobs", "says"),
    [
        ({"words": 20, "overlap": 20}, "overlap"),
        ({"prompt": "{sources}"}, "question"),
        ({"way": "magic"}, "bm25"),
        ({"folder": "docs"}, "folder"),
    ],
)
def test_wrong_knobs_are_refused(knobs: dict[str, object], says: str) -> None:
    tree = {"task": "generate", "base": "a/b", "data": {"train": "x.jsonl"}}
    with pytest.raises(RecipeError, match=says):
        parse_recipe({**tree, "retrieval": {"documents": "docs", **knobs}})
