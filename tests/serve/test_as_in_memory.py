"""What was tuned answers over HTTP as it does in memory: by every method, to every form of question.

The weights that a method adds are moved away from where they begin, saved, opened and served: nothing is
trained here.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from afina.models.load import load
from afina.models.predictor import TunedModel
from afina.models.save import save_model
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.serve.app import create_app
from afina.tasks import Classify, FindAnswer, Generate, Regress, Score, Tag
from afina.types import Answer, Input, Message, Task
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
METHODS: list[Any] = [
    "full",
    {"name": "partial", "train_layers": 1},
    {"name": "lora", "rank": 4},
    {"name": "adapter", "size": 8},
    {"name": "prefix", "length": 4, "hidden": 16},
    {"name": "prompt", "length": 4},
    "ia3",
    {"name": "hybrid", "rank": 4, "size": 8},
    "features",
]
LABELS = {"labels": ("red", "green", "blue")}


def name_of(method: Any) -> str:
    return method if isinstance(method, str) else str(method["name"])


def opened(base: Base, task: Task, method: Any, folder: Path) -> tuple[TunedModel, TestClient]:
    """A model in memory, and a client of a server that has opened it from the disk."""
    recipe = parse_recipe(
        {"task": "classify", "base": "x", "data": {"train": "x.csv"}, "method": method}
    )
    model = load(base, task, recipe.method)
    torch.manual_seed(3)
    for parameter in model.trained().values():
        parameter.data += 0.3 * torch.randn(parameter.shape)
    save_model(model, folder / "model", {n: p.detach() for n, p in model.trained().items()}, {})
    served = TunedModel.open(folder / "model", device="cpu", base=base, name="m")
    app = create_app([served], api_key=None)
    return TunedModel(model), TestClient(app, base_url="http://127.0.0.1")


def said(client: TestClient, path: str, **body: Any) -> Any:
    reply = client.post(path, json={"model": "m", **body})
    assert reply.status_code == 200, reply.text
    return reply.json()


def asked(text: str, **more: Any) -> Input:
    return Input((Message("user", text),), **more)


@pytest.mark.parametrize("method", METHODS[:-1], ids=name_of)
def test_what_is_written(tiny: Tiny, tmp_path: Path, method: Any) -> None:
    tuned, client = opened(tiny("llama"), Generate(max_new_tokens=6), method, tmp_path)
    (answer,) = tuned.predict([asked("the door is red")])
    messages = [{"role": "user", "content": "the door is red"}]
    reply = said(client, "/v1/chat/completions", messages=messages, max_tokens=6, temperature=0)
    assert reply["choices"][0]["message"]["content"] == answer.text
    assert reply["usage"]["prompt_tokens"] == answer.prompt_tokens


@pytest.mark.parametrize("method", METHODS, ids=name_of)
def test_labels(tiny: Tiny, tmp_path: Path, method: Any) -> None:
    task = Classify(**LABELS, several=False, pairs=True)
    tuned, client = opened(tiny("bert"), task, method, tmp_path)
    (answer,) = tuned.predict([asked("the door is red", second="the lights are green")])
    pair = {"text": "the door is red", "text_b": "the lights are green"}
    (told,) = said(client, "/v1/classify", input=pair)["data"]
    assert told["labels"] == list(answer.labels)
    found = {one["label"]: one["probability"] for one in told["probabilities"]}
    assert found == answer.probabilities
    listed = client.get("/v1/models").json()["data"][0]["afina"]
    assert listed["pairs"] is True


CONTEXT = "the lights are green and the door of the kitchen is red"
FORMS: list[tuple[Kind, Task, str, Any, Input, Callable[[Any, Answer], bool]]] = [
    (
        "minilm",
        Regress(mean=3.0, deviation=2.0, pairs=False),
        "/v1/regress",
        "the door is red",
        asked("the door is red"),
        lambda told, answer: told["number"] == answer.number,
    ),
    (
        "bert",
        Tag(labels=("COLOUR",)),
        "/v1/tag",
        "the door is red",
        asked("the door is red"),
        lambda told, answer: told["spans"] == answer.facts()["spans"],
    ),
    (
        "bert",
        FindAnswer(window=32, overlap=8, language="en", unanswerable=False),
        "/v1/answer",
        {"question": "red green?", "context": CONTEXT},
        asked("red green?", context=CONTEXT),
        lambda told, answer: (
            (told["answer"], told["margin"]) == (answer.text, answer.facts()["margin"])
        ),
    ),
    (
        "llama",
        Score(),
        "/v1/score",
        {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
        Input((Message("user", "a"), Message("assistant", "b"))),
        lambda told, answer: told["score"] == answer.number,
    ),
]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[1].name)
def test_numbers_stretches_and_scores(tiny: Tiny, tmp_path: Path, form: Any) -> None:
    kind, task, path, body, given, alike = form
    tuned, client = opened(tiny(kind), task, {"name": "lora", "rank": 4}, tmp_path)
    (answer,) = tuned.predict([given])
    (told,) = said(client, path, input=body)["data"]
    assert alike(told, answer), (told, answer)
    (_, other) = tuned.predict([given, given])
    (first, second) = said(client, path, input=[body, body])["data"]
    assert alike(second, other) and first["index"] == 0


@pytest.mark.parametrize(
    ("task", "path", "body", "what"),
    [
        (Classify(**LABELS, several=False, pairs=True), "/v1/classify", "red", "here is one"),
        (
            Classify(**LABELS, several=False, pairs=False),
            "/v1/classify",
            {"text": "red", "text_b": "green"},
            "here are two",
        ),
        (
            Score(),
            "/v1/score",
            {"messages": [{"role": "user", "content": "a"}]},
            "no answer to judge",
        ),
    ],
    ids=["one of a pair", "two of one", "no answer"],
)
def test_what_was_not_learned_is_refused(
    tiny: Tiny, tmp_path: Path, task: Task, path: str, body: Any, what: str
) -> None:
    kind: Kind = "llama" if task.name == "score" else "minilm"
    _, client = opened(tiny(kind), task, "features", tmp_path)
    reply = client.post(path, json={"model": "m", "input": body})
    assert reply.status_code == 400 and what in reply.json()["error"]["message"]
