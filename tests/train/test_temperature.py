"""Temperature scaling: the right value is found, saved with the model, and used where it answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.tasks import Classify
from afina.train.temperature import best_temperature
from tests.flow.tiny_runs import measured, predicted
from tests.tiny import Kind


@pytest.mark.parametrize("true", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("several", [False, True])
def test_the_temperature_of_the_truth_is_found(true: float, several: bool) -> None:
    """Labels are drawn from the scores at a temperature; that one must come back."""
    generator = torch.Generator().manual_seed(5)
    scores = 3 * torch.randn(4000, 4, generator=generator).double()
    if several:
        drawn = torch.rand(4000, 4, generator=generator) < (scores / true).sigmoid()
        targets = drawn.double()
    else:
        picked = torch.multinomial((scores / true).softmax(1), 1, generator=generator)
        targets = torch.zeros_like(scores).scatter_(1, picked, 1.0)
    assert best_temperature(scores, targets, several) == pytest.approx(true, rel=0.08)


def test_scores_are_divided_before_they_become_probabilities() -> None:
    cold, warm = (Classify(labels=("a", "b"), several=False, temperature=t) for t in (1.0, 2.0))
    one, two = cold.from_scores([2.0, 0.0]), warm.from_scores([4.0, 0.0])
    assert one == two
    assert Classify(labels=("a", "b"), temperature="fitted").from_scores([2.0, 0.0]) == one


def test_it_is_fitted_saved_and_used_everywhere(
    tiny: Callable[[Kind], Base], tmp_path: Path
) -> None:
    rows = [
        {
            "text": f"the door is {('red', 'green')[i % 2]} {i}",
            "label": ("a", "b")[(i * i // 3) % 2],
        }
        for i in range(260)
    ]
    said = measured(
        tmp_path,
        tiny("bert"),
        {"name": "classify", "temperature": "fitted"},
        rows,
        train={"max_steps": 30, "batch_size": 16, "learning_rate": 5e-3, "threads": 1},
        evaluate={"baselines": ["majority"], "slices": ["label"]},
    )
    heat = said["train"]["temperature"]
    assert heat != 1.0
    folder = Path(said["folder"])
    card = json.loads((folder / "model" / "afina.json").read_text("utf-8"))
    assert card["task"]["temperature"] == heat
    (answer,) = predicted(tmp_path, [{"text": rows[0]["text"]}])
    opened = TunedModel.open(folder / "model", device="cpu")
    task = opened.task
    assert isinstance(task, Classify)
    given = [opened.task.question(e) for e in _examples(rows[:1])]
    assert opened.predict(given)[0].probabilities == pytest.approx(
        answer["probabilities"], abs=1e-5
    )
    opened.model.task = task.model_copy(update={"temperature": 1.0})
    plain = opened.predict(given)[0].probabilities
    assert plain is not None
    assert plain["a"] != pytest.approx(answer["probabilities"]["a"], abs=1e-4)
    found = {f["name"]: f for f in said["report"]["findings"]}
    assert {"calibration", "slices"} <= set(found)
    assert {row["slice"] for row in found["slices"]["rows"]} >= {"label"}
    page = (folder / "report.html").read_text("utf-8")
    assert "Calibración" in page
    assert "Temperatura" in page


def _examples(rows: list[dict[str, str]]) -> list[object]:
    from afina.types import LabelledExample

    return [LabelledExample(id="1", where="", text=r["text"], labels=("a",)) for r in rows]
