"""Whole runs by recipe: rows in a file, trained, measured against what suits the objective."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from afina.data.content import content
from afina.errors import AfinaError
from afina.flow import run_recipe
from afina.models.sources import Base
from afina.recipe import parse_recipe
from afina.types import Example, JudgedExample, PreferenceExample
from tests.objectives.pairs import judged, pairs
from tests.tiny import Kind


def write(path: Path, examples: Sequence[Example]) -> Path:
    """The rows as a person would write them."""
    lines: list[dict[str, Any]] = []
    for example in examples:
        if isinstance(example, PreferenceExample):
            answers = {"chosen": example.chosen, "rejected": example.rejected}
            row: dict[str, Any] = {"prompt": example.prompt[0].content}
            lines.append(row | {name: turns[0].content for name, turns in answers.items()})
        elif isinstance(example, JudgedExample):
            asked, said = example.messages
            label = {"prompt": asked.content, "completion": said.content, "label": example.good}
            lines.append(label)
        else:
            lines.append(content(example))
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def run(base: Base, home: Path, rows: Path, **recipe: Any) -> dict[str, Any]:
    """The outcome of a small run."""
    knobs = {"threads": 1, "precision": "float32", "epochs": 2, "learning_rate": 3e-3}
    whole = {
        "task": "generate",
        "base": str(base.folder),
        "data": {"train": str(rows)},
        "method": "full",
        "train": knobs,
        "evaluate": {"resamples": 200},
        **recipe,
    }
    _, outcome = run_recipe(parse_recipe(whole), home)
    return outcome


def scores_of(outcome: dict[str, Any]) -> dict[str, dict[str, float]]:
    return {
        candidate["name"]: {n: s["value"] for n, s in candidate["scores"].items()}
        for candidate in outcome["report"]["candidates"]
    }


def test_preference_pairs_are_measured_against_the_base(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = write(tmp_path / "pairs.jsonl", pairs(80))
    outcome = run(
        tiny("llama"),
        tmp_path,
        rows,
        objective="prefer",
        task={"name": "generate", "max_new_tokens": 8},
    )
    assert outcome["train"]["objective"] == "prefer"
    assert outcome["report"]["metric"] == "preference_accuracy"
    scores = scores_of(outcome)
    assert set(scores) == {"tuned", "base"}
    assert scores["base"]["preference_gain"] == 0.5
    assert scores["tuned"]["preference_gain"] > 0.7
    assert {"chrf", "rouge_l", "perplexity"} <= set(scores["tuned"])
    assert 0 <= scores["base"]["preference_accuracy"] <= 1
    report = (Path(outcome["folder"]) / "report.html").read_text(encoding="utf-8")
    assert "Preference accuracy" in report


def test_judged_answers_are_learned_by_kto(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    rows = write(tmp_path / "judged.jsonl", judged(60))
    outcome = run(
        tiny("llama"),
        tmp_path,
        rows,
        objective={"name": "prefer", "kind": "kto"},
        task={"name": "generate", "max_new_tokens": 8},
    )
    scores = scores_of(outcome)
    assert outcome["report"]["metric"] == "preference_gain"
    assert scores["base"] == {"preference_gain": 0.5}
    assert scores["tuned"]["preference_gain"] > 0.5


@pytest.mark.parametrize(
    ("recipe", "what"),
    [
        ({"objective": "prefer"}, "preference pairs"),
        (
            {"objective": {"name": "prefer", "kind": "kto"}, "goal": {"metric": "preference_gian"}},
            "no scorer",
        ),
        ({"evaluate": {"scorers": ["preference_accuracy"]}}, "one each"),
    ],
    ids=["pairs wanted", "unknown scorer", "no pairs"],
)
def test_what_makes_no_sense_is_refused(
    tiny: Callable[[Kind], Base], tmp_path: Path, recipe: dict[str, Any], what: str
) -> None:
    rows = write(tmp_path / "judged.jsonl", judged(60))
    with pytest.raises(AfinaError, match=what) as caught:
        run(tiny("llama"), tmp_path, rows, **recipe)
    assert caught.value.exit_code == 2


def test_a_verdict_that_is_none_is_named(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"prompt": f"a {i}", "completion": "b", "label": "good"} for i in range(20)]
    rows[3]["label"] = "perhaps"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    with pytest.raises(AfinaError, match="neither good nor bad") as caught:
        run(tiny("llama"), tmp_path, path, objective={"name": "prefer", "kind": "kto"})
    assert "row 4" in caught.value.where
