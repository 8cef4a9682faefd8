"""Two runs: paired where the rows are the same, whatever their order; refused with the reason else."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from afina.evaluate import evaluate
from afina.evaluate.versus import refusal, sentence, versus
from afina.recipe import Evaluate
from afina.tasks import Classify
from afina.tasks.thresholds import Wanted
from tests.evaluate.candidates import CLASSIFY, LABELS, labelled, labels_of, noisy

GOLD = [LABELS[i % 3] for i in range(150)]
RIGOUR: dict[str, Any] = {"confidence": 0.95, "resamples": 200, "seed": 7}


def kept(
    right: float, seed: int, sha256: str = "a", gold: list[str] = GOLD, task: Classify = CLASSIFY
) -> dict[str, Any]:
    """What a run keeps of a model that is right that often; as it comes back from its file."""
    report = evaluate(
        [labels_of("tuned", noisy(gold, right, seed))],
        labelled(gold),
        task=task,
        tuned="tuned",
        goal=None,
        settings=Evaluate(resamples=100, samples=0),
        seed=7,
        test_sha256=sha256,
    )
    value: dict[str, Any] = json.loads(json.dumps(report.kept))
    return value


def test_a_better_run_is_found_row_by_row_whatever_the_order() -> None:
    weak, strong = kept(0.5, 1), kept(0.95, 2)
    found = versus(weak, strong, **RIGOUR)
    assert set(found) == {"macro_f1", "accuracy", "macro_precision", "macro_recall"}
    said = sentence(found["macro_f1"], "macro_f1", ("weak", "strong"), 0.95)
    assert said.code == "compare_better"
    assert said.values["winner"] == "strong"
    back = sentence(versus(strong, weak, **RIGOUR)["accuracy"], "accuracy", ("s", "w"), 0.95)
    assert back.values["winner"] == "s"
    order = np.random.default_rng(1).permutation(150)
    turned = {**strong, "ids": [strong["ids"][i] for i in order]}
    turned["matrices"] = [_reordered(m, order) for m in strong["matrices"]]
    again = versus(weak, turned, **RIGOUR)
    assert again["accuracy"] == found["accuracy"]
    assert again["macro_f1"].difference == pytest.approx(found["macro_f1"].difference)


def _reordered(matrix: dict[str, Any], order: Any) -> dict[str, Any]:
    rows = [slice(matrix["starts"][i], matrix["starts"][i + 1]) for i in order]
    return {
        "width": matrix["width"],
        "starts": [0, *np.cumsum([row.stop - row.start for row in rows]).tolist()],
        "places": [place for row in rows for place in matrix["places"][row]],
        "values": [value for row in rows for value in matrix["values"][row]],
    }


def test_equal_runs_are_seldom_told_apart() -> None:
    named = 0
    for seed in range(40):
        found = versus(kept(0.7, 2 * seed), kept(0.7, 2 * seed + 1), **RIGOUR)["accuracy"]
        named += sentence(found, "accuracy", ("a", "b"), 0.95).code == "compare_better"
    assert named <= 6  # 2 expected; more than 6: once in 200 times


def test_costs_are_compared_where_both_count_alike() -> None:
    def costly(miss: float, seed: int) -> dict[str, Any]:
        wanted = {"bill": Wanted(miss=miss, false_alarm=1.0)}
        return kept(0.8, seed, task=CLASSIFY.model_copy(update={"wanted_of": wanted}))

    assert "expected_cost" in versus(costly(5.0, 1), costly(5.0, 2), **RIGOUR)
    found = versus(costly(5.0, 1), costly(2.0, 2), **RIGOUR)
    assert "expected_cost" not in found and "accuracy" in found


def test_other_tests_are_refused_with_the_reason() -> None:
    own = kept(0.8, 1)
    assert refusal(own, kept(0.6, 2)) is None
    other = kept(0.8, 1, gold=GOLD[:90])
    code = refusal(own, other)
    assert code is not None
    assert code.code == "compare_rows"
    assert code.values == {"shared": 90, "rows": 150, "others": 90}
    assert "90" in code.say("es")
    for changed, reason in (
        (kept(0.8, 1, sha256="b"), "compare_content"),
        ({**own, "columns": ["x"]}, "compare_labels"),
        (None, "compare_unkept"),
    ):
        found = refusal(own, changed)
        assert found is not None
        assert found.code == reason
