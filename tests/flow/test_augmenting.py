"""Rows made of training rows in a whole run: learned, counted, made again, and kept from the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from afina import flow
from afina.data import augment as augmenting
from afina.flow.augmenting import _by_model
from afina.models.sources import Base
from afina.recipe import load_recipe
from afina.types import Answer, Input
from tests.cli.conftest import json_of
from tests.flow.tiny_runs import measured, write
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
ROWS = [
    {"text": f"{word} {n}", "label": label}
    for n in range(40)
    for word, label in (("money refund", "bill"), ("lost parcel", "post"))
]
WORDS = {"money": ("cash",), "parcel": ("package", "box")}


@pytest.fixture(autouse=True)
def small_thesaurus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augmenting, "synonyms", lambda language: WORDS)


def asked(**knobs: Any) -> dict[str, Any]:
    return {"augment": {"language": "en", **knobs}}


def run(folder: Path, base: Base, **knobs: Any) -> dict[str, Any]:
    data = {"train": str(write(folder, ROWS)), **asked(**knobs)}
    evaluate = {"baselines": ["majority"]}
    return measured(folder, base, "classify", ROWS, data=data, evaluate=evaluate)


def test_made_rows_are_learned_and_counted(tiny: Tiny, tmp_path: Path) -> None:
    outcome = run(tmp_path, tiny("minilm"), share=0.5)
    made, train = outcome["data"]["made"], outcome["data"]["train"]
    assert made == train // 2 and outcome["data"]["validation"] == 8
    folder = Path(outcome["folder"])
    plan = json.loads((folder / "plan.json").read_text("utf-8"))
    assert plan["rows"]["train"] == train + made
    assert any("rows were made of" in note for note in plan["notes"])
    facts = json.loads((folder / "data/made.json").read_text("utf-8"))
    assert facts["rows"] == made and facts["by"] == {"synonyms": made}
    assert "Filas hechas a partir" in (folder / "report.html").read_text("utf-8")
    splits = json.loads((folder / "data/splits.json").read_text("utf-8"))
    assert not any(":synonyms" in row for ids in splits.values() for row in ids)
    assert "package" not in (folder / "data/made.json").read_text("utf-8")


def test_the_split_and_its_fingerprint_stay_what_they_are(tiny: Tiny, tmp_path: Path) -> None:
    write(tmp_path, ROWS)
    recipe = {
        "task": "classify",
        "base": str(tiny("minilm").folder),
        "data": {"train": "rows.jsonl"},
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    plain = flow.prepare(load_recipe(path), tmp_path).only
    more = flow.prepare(load_recipe(path, ["data.augment={language: en}"]), tmp_path).only
    assert plain.dataset.fingerprint == more.dataset.fingerprint
    assert plain.learned == plain.dataset.train == more.dataset.train
    made = more.learned[len(plain.learned) :]
    assert len(made) == len(plain.learned) == len(more.rows.kept) - len(plain.rows.kept)
    assert {row.group for row in made} == {row.id for row in plain.learned}


def test_a_resumed_run_makes_the_same_rows_or_says_that_it_cannot(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from afina.errors import RunError
    from afina.flow import training
    from afina.store import Run

    outcome = run(tmp_path, tiny("minilm"))
    opened = Run.open(tmp_path / "home", outcome["run"])
    again = training._reopen(opened, lambda _: None).only
    assert again.made is not None and len(again.made.rows) == outcome["data"]["made"]
    monkeypatch.setattr(augmenting, "synonyms", lambda language: {"money": ("gold",)})
    with pytest.raises(RunError, match="no longer the same"):
        training._reopen(opened, lambda _: None)


def test_a_base_can_translate(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Writer:
        def predict(self, inputs: Sequence[Input]) -> list[Answer]:
            asked.extend(given.text for given in inputs)
            return [Answer("hola"), Answer("una respuesta sin fin", finish="length"), Answer(" ")]

    monkeypatch.setattr("afina.baselines.rag.open_untuned", lambda base, **_: Writer())
    translate = _by_model("some-base", lambda _: None)
    assert translate(["hello", "bye", "yes"], "en", "es") == ["hola", "bye", "yes"]
    assert asked[0] == "Translate from English into Spanish:\n\nhello"


def test_a_task_whose_answers_are_words_of_the_question_is_refused(
    tiny: Tiny, tmp_path: Path
) -> None:
    rows = [{"prompt": f"light {n} on", "completion": json.dumps({"light": n})} for n in range(30)]
    recipe = {
        "task": "generate", "base": str(tiny("llama").folder),
        "data": {"train": str(write(tmp_path, rows)), **asked()},
    }  # fmt: skip
    path = tmp_path / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    code, found = json_of(["plan", str(path), "--home", str(tmp_path / "home")])
    assert (code, found["error"]["where"]) == (2, "data.augment")
    assert "JSON" in found["error"]["what"]
