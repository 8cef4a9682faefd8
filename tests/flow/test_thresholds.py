"""Thresholds from the recipe to the served answer: chosen on validation rows, saved, used, told."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.store import Run
from afina.tasks import Classify
from tests.flow.tiny_runs import measured, predicted
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


def rows() -> list[dict[str, Any]]:
    """Texts of which a sixth is bad, by a word that one in five of the others holds too."""
    dice = random.Random(5)
    made = []
    for n in range(240):
        bad = n % 6 == 0
        word = "garage" if bad or dice.random() < 0.2 else "kitchen"
        made.append(
            {"text": f"the {word} door number {n * n} {n}", "label": "bad" if bad else "ok"}
        )
    return made


@pytest.fixture(scope="module")
def run(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("thresholds")
    task = {"name": "classify", "wanted_of": {"bad": {"miss": 20, "false_alarm": 1}}}
    answer = measured(
        folder, tiny("minilm"), task, rows(),
        data={"train": str(folder / "rows.jsonl"),
              "split": {"train": 0.5, "validation": 0.25, "test": 0.25}},
        evaluate={"baselines": ["majority", "linear"], "resamples": 100},
    )  # fmt: skip
    return folder, answer


def test_the_threshold_is_chosen_on_validation_rows_and_saved(
    run: tuple[Path, dict[str, Any]],
) -> None:
    folder, answer = run
    kept = Run.open(folder / "home", answer["run"])
    (line,) = kept.read("thresholds.json")
    assert (line["label"], line["why"], line["rows"]) == (
        "bad",
        "chosen",
        answer["data"]["validation"],
    )
    assert line["threshold"] < 0.5  # a miss costs twenty times as much
    task = TunedModel.open(kept.model_folder).task
    assert isinstance(task, Classify)
    assert task.thresholds == {"bad": line["threshold"]}


def test_the_report_tells_the_cost_beside_that_of_the_usual_threshold(
    run: tuple[Path, dict[str, Any]],
) -> None:
    folder, answer = run
    report = answer["report"]
    told = report["thresholds"]
    tuned = next(c for c in report["candidates"] if c["name"] == "tuned")
    assert told["cost"] == pytest.approx(tuned["scores"]["expected_cost"]["value"])
    assert told["cost"] < told["cost_at_usual"]
    (line,) = told["labels"]
    assert any(f"bad {line['threshold']:.3g}" in note for note in report["notes"])
    assert any("cost" in note for note in report["notes"])
    text = (folder / "home/runs" / answer["run"] / "report.html").read_text("utf-8")
    assert "Coste esperado" in text and "Con estos umbrales" in text
    majority = next(c for c in report["candidates"] if c["name"] == "linear")
    assert majority["scores"]["expected_cost"]["value"] < 20 / 6  # it has its threshold too


def test_prediction_follows_the_threshold(run: tuple[Path, dict[str, Any]]) -> None:
    folder, answer = run
    threshold = Run.open(folder / "home", answer["run"]).read("thresholds.json")[0]["threshold"]
    answers = predicted(folder, [{"text": row["text"]} for row in rows()[:60]])
    found = [(a["labels"], a["probabilities"]["bad"]) for a in answers]
    for labels, probability in found:
        if abs(probability - threshold) > 1e-6:  # the answer's is rounded to six digits
            assert labels == (["bad"] if probability > threshold else ["ok"])
    assert {tuple(labels) for labels, _ in found} == {("bad",), ("ok",)}
    assert any(labels == ["bad"] and probability < 0.5 for labels, probability in found)


def test_too_few_rows_are_said_and_the_usual_threshold_is_kept(tiny: Tiny, tmp_path: Path) -> None:
    few = [{**row, "label": "bad" if n % 40 == 0 else "ok"} for n, row in enumerate(rows())]
    task = {"name": "classify", "wanted_of": {"bad": {"recall": 0.9}}}
    answer = measured(
        tmp_path, tiny("minilm"), task, few, evaluate={"baselines": ["majority"], "resamples": 100}
    )
    (line,) = answer["report"]["thresholds"]["labels"]
    assert (line["why"], line["threshold"]) == ("too_few", 0.5)
    assert any("keeps the usual threshold" in note for note in answer["report"]["notes"])
    card = json.loads((Path(answer["folder"]) / "model/afina.json").read_text("utf-8"))
    assert card["task"]["thresholds"] is None
