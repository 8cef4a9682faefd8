"""Rows that are too long: told before training, and treated alike until the model is served."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

import afina
from afina.errors import DataError, ModelError
from afina.flow import prepare
from afina.models.predictor import TunedModel
from afina.models.save import read_card
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.serve import create_app
from afina.types import Input, Message
from tests.tiny import CONTEXT_LENGTH, Kind

Tiny = Callable[[Kind], Base]
WORDS = ("positive good green", "negative bad red")


def texts(path: Path, count: int, words: int) -> str:
    lines = [
        f"{WORDS[i % 2]} {'one two ' * words} {i},{WORDS[i % 2].split()[0]}" for i in range(count)
    ]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", "utf-8")
    return str(path)


def chats(path: Path, count: int, words: int, answer: int = 1) -> str:
    rows = [
        {"prompt": "one two " * words + f"row {i}", "completion": "red " * answer + str(i)}
        for i in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return str(path)


def recipe(base: Base, task: str, train: str, test: str, **knobs: Any) -> dict[str, Any]:
    return {
        "task": {"name": task, **({"max_new_tokens": 4} if task == "generate" else {})},
        "base": str(base.folder),
        "data": {"train": train, "test": test},
        "method": "lora",
        "train": {"max_steps": 2, "batch_size": 8, "threads": 1, "device": "cpu", **knobs},
        "evaluate": {"baselines": ["majority"], "resamples": 100},
    }


def plan(asked: dict[str, Any], folder: Path) -> tuple[str, ...]:
    return prepare(parse_recipe(asked), folder).plan.notes


@pytest.mark.parametrize(
    ("task", "make", "kind"), [("classify", texts, "minilm"), ("generate", chats, "llama")]
)
def test_a_test_row_beyond_the_base_is_refused_by_the_plan(
    tiny: Tiny, tmp_path: Path, task: str, make: Any, kind: Kind
) -> None:
    files = make(tmp_path / "train.x", 20, 1), make(tmp_path / "test.x", 3, 200)
    named = [
        Path(f).rename(f.replace(".x", ".csv" if task == "classify" else ".jsonl")) for f in files
    ]
    asked = recipe(tiny(kind), task, *map(str, named))
    with pytest.raises(DataError, match="3 of 3 test rows could not be measured") as caught:
        plan(asked, tmp_path)
    assert named[1].name in caught.value.where
    assert f"takes {CONTEXT_LENGTH}" in caught.value.where
    assert len(caught.value.problems) == 2
    asked["train"]["on_too_long"] = "drop"
    with pytest.raises(DataError, match="3 of 3 test rows"):
        plan(asked, tmp_path)


def test_a_row_over_max_length_alone_is_counted_and_read_whole(tiny: Tiny, tmp_path: Path) -> None:
    train, test = texts(tmp_path / "train.csv", 20, 1), texts(tmp_path / "test.csv", 4, 30)
    asked = recipe(tiny("minilm"), "classify", train, test, max_length=20)
    assert "4 of 4 test rows are longer than 20 tokens: they are read whole" in plan(
        asked, tmp_path
    )


def test_dropped_rows_are_left_out_of_the_evaluation_and_the_report_says_so(
    tiny: Tiny, tmp_path: Path
) -> None:
    train = texts(tmp_path / "train.csv", 30, 1)
    short, long = texts(tmp_path / "short.csv", 6, 2), texts(tmp_path / "long.csv", 2, 200)
    test = tmp_path / "test.csv"
    test.write_text(Path(short).read_text() + "".join(Path(long).read_text().splitlines(True)[1:]))
    asked = recipe(tiny("minilm"), "classify", train, str(test), on_too_long="drop")
    assert (
        "2 of 8 test rows are longer than 256 tokens: they are left out" in plan(asked, tmp_path)[0]
    )
    found = afina.run(asked, home=tmp_path / "home").report
    assert found is not None
    report = found.as_dict()
    assert report["test"]["rows"] == 6
    assert report["statements"]["notes"][0] == {"code": "left_out", "values": {"rows": 2, "all": 8}}


@pytest.mark.parametrize(("task", "kind"), [("classify", "minilm"), ("generate", "llama")])
def test_what_is_cut_in_training_is_cut_alike_ever_after(
    tiny: Tiny, tmp_path: Path, task: str, kind: Kind
) -> None:
    make: Any = texts if task == "classify" else chats
    ending = "csv" if task == "classify" else "jsonl"
    train, test = (
        make(tmp_path / f"train.{ending}", 30, 9),
        make(tmp_path / f"test.{ending}", 5, 200),
    )
    asked = recipe(tiny(kind), task, train, test, on_too_long="truncate", max_length=24)
    assert "5 of 5 test rows are longer than 24 tokens: the tuned model reads them cut" in "".join(
        plan(asked, tmp_path)
    )
    done = afina.run(asked, home=tmp_path / "home")
    assert done.report is not None
    notes = {n["code"]: n["values"] for n in done.report.as_dict()["statements"]["notes"]}
    assert notes["cut_inputs"] == {"candidate": "tuned", "rows": 5, "all": 5}
    folder = done.folder / "model"
    assert read_card(folder)["cut_to"] == 24
    model = TunedModel.open(folder, device="cpu")
    long = Input((Message("user", "one two " * 200),))
    whole, read = model.whole_prompt(long), model.prompt(long)
    assert len(read) == model.longest_prompt == 24
    assert read == ((*whole[:23], whole[-1]) if task == "classify" else whole[-24:])
    (answer,) = model.predict([long])
    assert answer.cut_tokens == len(whole) - 24
    assert answer.prompt_tokens == 24
    assert model.predict([Input((Message("user", "one"),))])[0].cut_tokens == 0
    _check_served(model, "one two " * 200, answer.cut_tokens)


def _check_served(model: TunedModel, text: str, cut: int) -> None:
    with TestClient(create_app([model], api_key=None), base_url="http://127.0.0.1") as client:
        if "chat" in model.kinds:
            asked: dict[str, Any] = {"messages": [{"role": "user", "content": text}]}
            said = client.post("/v1/chat/completions", json={"model": model.name, **asked}).json()
        else:
            said = client.post("/v1/classify", json={"model": model.name, "input": text}).json()
            assert said["data"][0]["cut_tokens"] == cut
    assert said["usage"]["prompt_tokens"] == 24


def test_an_answer_is_never_cut_in_the_test_either(tiny: Tiny, tmp_path: Path) -> None:
    train = chats(tmp_path / "train.jsonl", 20, 9)
    test = chats(tmp_path / "test.jsonl", 2, 1, answer=60)
    asked = recipe(tiny("llama"), "generate", train, test, on_too_long="truncate", max_length=24)
    with pytest.raises(DataError, match="2 of 2 test rows") as caught:
        plan(asked, tmp_path)
    assert "the answer does not fit into 24 tokens" in caught.value.where


def test_without_a_length_of_its_own_truncation_begins_where_the_base_ends(
    tiny: Tiny, tmp_path: Path
) -> None:
    train, test = texts(tmp_path / "train.csv", 20, 1), texts(tmp_path / "test.csv", 4, 30)
    asked = recipe(tiny("minilm"), "classify", train, test, on_too_long="truncate")
    ready = prepare(parse_recipe(asked), tmp_path)
    assert ready.plan.recipe.train.max_length == CONTEXT_LENGTH
    assert not any("test rows" in note for note in ready.plan.notes)


def test_a_model_that_was_not_trained_on_cut_rows_refuses_long_ones(
    tiny: Tiny, tmp_path: Path
) -> None:
    train, test = texts(tmp_path / "train.csv", 20, 1), texts(tmp_path / "test.csv", 4, 2)
    done = afina.run(recipe(tiny("minilm"), "classify", train, test), home=tmp_path, evaluate=False)
    model = TunedModel.open(done.folder / "model", device="cpu")
    assert model.model.cut_to is None
    with pytest.raises(ModelError, match="takes 256"):
        model.predict([Input((Message("user", "one two " * 200),))])


def test_training_rows_that_are_dropped_are_listed_in_a_file(tiny: Tiny, tmp_path: Path) -> None:
    short, long = texts(tmp_path / "short.csv", 20, 1), texts(tmp_path / "long.csv", 3, 200)
    rows = tmp_path / "train.csv"
    rows.write_text(Path(short).read_text() + "".join(Path(long).read_text().splitlines(True)[1:]))
    test = texts(tmp_path / "test.csv", 4, 2)
    asked = recipe(tiny("minilm"), "classify", str(rows), test, on_too_long="drop")
    done = afina.run(asked, home=tmp_path / "home", evaluate=False)
    listed = json.loads((done.folder / "data" / "too_long.json").read_text("utf-8"))
    assert len(listed) == 3
    assert all("train.csv: row" in line["where"] for line in listed)
    assert "the limit is 256" in listed[0]["reason"]
