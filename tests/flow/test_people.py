"""Names of people as personal data: found by a run of task tag, redacted, put back and traced."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from afina.models.sources import Base
from tests.cli.conftest import json_of
from tests.flow.test_tag import rows as named
from tests.flow.tiny_runs import measured, write
from tests.tiny import Kind

STEPS = {"max_steps": 60, "batch_size": 16, "learning_rate": 5e-3, "threads": 1}
BARE = {"baselines": [], "resamples": 100, "latency_rows": 0}


@pytest.fixture(scope="module")
def finder(tiny: Callable[[Kind], Base], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that tells people (Ana) from places (Madrid)."""
    folder = tmp_path_factory.mktemp("finder")
    return Path(
        measured(folder, tiny("bert"), "tag", named(90), train=STEPS, evaluate=BARE)["folder"]
    )


def recipe(folder: Path, base: Base, names: Path) -> list[str]:
    """A recipe of 60 rows; every third names a person, every third a place."""
    rows = [{"text": row["text"], "label": "ab"[i % 2]} for i, row in enumerate(named(60))]
    path = folder / "recipe.yaml"
    data = {"train": str(write(folder, rows)), "names": str(names)}
    train = {"max_steps": 2, "batch_size": 8, "threads": 1}
    path.write_text(
        json.dumps({"task": "classify", "base": str(base.folder), "data": data, "train": train})
    )
    return [str(path), "--home", str(folder / "home")]


def test_names_are_listed_redacted_put_back_and_traced(
    tiny: Callable[[Kind], Base], tmp_path: Path, finder: Path
) -> None:
    words = recipe(tmp_path, tiny("bert"), finder)
    code, plain = json_of(["check", *words, "-s", "data.names=null"])
    assert code == 0 and plain["quality"]["personal"]["values"] == {}
    code, found = json_of(["check", *words])
    assert code == 0 and found["quality"]["personal"]["values"] == {"person": 20}
    assert found["fingerprint"] == plain["fingerprint"]
    out = tmp_path / "checked"
    code, done = json_of(["check", *words, "--fix", "--redact", "reversible", "--out", str(out)])
    assert code == 0 and done["fixed"]["changed"] == {"personal": 20}
    text = (out / "train.jsonl").read_text("utf-8")
    assert "Ana" not in text and text.count("<PERSON_1>") == 20 and "Madrid" in text
    restored = tmp_path / "back.jsonl"
    keys = ["--keys", str(out / "keys.json"), "--out", str(restored)]
    assert json_of(["restore", str(out / "train.jsonl"), *keys])[0] == 0
    assert restored.read_text("utf-8").count(" Ana ") == 20
    code, run = json_of(["train", *words])
    assert code == 0
    code, held = json_of(["trace", "ANA", *words[1:]])
    assert [r["run"] for r in held["runs"]] == [run["run"]]
    assert json_of(["trace", "Madrid", *words[1:]])[1]["runs"] == []


def test_a_run_that_finds_no_people_is_refused(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    places = [row for row in named(90) if "Ana" not in str(row["text"])]
    quick = STEPS | {"max_steps": 2}
    run = measured(tmp_path, tiny("bert"), "tag", places, train=quick, evaluate=BARE)
    code, answer = json_of(["check", *recipe(tmp_path, tiny("bert"), Path(run["folder"]))])
    assert code == 2 and "its labels are LOC" in answer["error"]["what"]
    assert "data.names" in answer["error"]["where"]
    code, answer = json_of(["check", *recipe(tmp_path, tiny("bert"), tmp_path / "no")])
    assert code == 2 and "no finished run" in answer["error"]["what"]


def test_a_long_text_is_asked_in_pieces_and_places_are_of_the_whole(finder: Path) -> None:
    from afina.flow.people import _opened

    words = "the door of Ana is red 3"
    text = f"{words}\n" * 40
    (found,) = _opened(str(finder)).find([text])
    assert [text[start:end] for start, end in found] == ["Ana"] * 40
