"""What a stage forgot: its model on the sealed tests of the earlier stages' tasks.

The matrix R of Lopez-Paz and Ranzato 2017 (arXiv 1706.08840): R[i][j] is the score after stage i on
the task of stage j. Backward transfer is the mean of R[last][j] - R[j][j] over the earlier tasks:
below zero, the later stages made the model forget.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from afina.flow.preparing import Say
from afina.flow.record import recipe_of, reopen_datasets

if TYPE_CHECKING:
    from afina.evaluate import Report, Reports
    from afina.models.load import Model
    from afina.recipe import Recipe
    from afina.store import Run

Cell = dict[str, Any]
"""Value, low and high of a score."""


def measure_stages(
    run: Run, before: Sequence[Run], report: Report | Reports, say: Say
) -> dict[str, Any] | None:
    """The matrix up to this run; None where there is no run ``before`` it.

    Each earlier test is opened once more, and that is noted in both runs. Raises ModelError where the
    model cannot answer an earlier task.
    """
    from afina.evaluate import by_task
    from afina.models.save import open_model

    if not before:
        return None
    model = open_model(run.model_folder)
    found = []
    for earlier in before:
        for task, view in recipe_of(earlier).parts.items():
            say(f"measuring {task or view.task.name} of the earlier stage {earlier.id}")
            found.append((earlier, task, _measure(run, earlier, model, task, view)))
    found += [(run, task, own) for task, own in by_task(report.as_dict()).items()]
    columns = [_column(*each) for each in found]
    matrix = [_row(earlier, len(columns)) for earlier in before]
    matrix.append([_cell(own) for _, _, own in found])
    return {
        "stages": [*(earlier.id for earlier in before), run.id],
        "columns": columns,
        "matrix": matrix,
        **_transfer(columns, matrix),
    }


def _measure(run: Run, earlier: Run, model: Model, task: str, view: Recipe) -> dict[str, Any]:
    """The plain report of this run's body on the sealed test of an earlier stage, under the head of
    that stage."""
    from afina.evaluate import evaluate
    from afina.flow.lengths import measurable
    from afina.models.predictor import TunedModel
    from afina.models.save import with_earlier_task

    assert view.goal is not None
    predictor = TunedModel(with_earlier_task(model, earlier.model_folder, task))
    dataset = reopen_datasets(earlier)[task]
    test = dataset.test.open(by=f"evaluation of {run.id}")
    opened = {"sha256": dataset.test.sha256, "rows": len(dataset.test)}
    run.event("test_opened", **opened, stage=earlier.id)
    earlier.event("test_opened", **opened, by=run.id)
    known = (*dataset.train, *dataset.validation)
    only = {"scorers": (view.goal.metric,), "samples": 0}
    return evaluate(
        [predictor],
        measurable(test, view.task, model.base, view),
        task=view.task.over(test, known),
        tuned=predictor.name,
        goal=view.goal,
        settings=view.evaluate.model_copy(update=only),
        seed=view.train.seed,
        test_sha256=dataset.test.sha256,
    ).as_dict()


def _cell(report: dict[str, Any]) -> Cell | None:
    """The judged score of the tuned model in a plain report."""
    tuned = next(c for c in report["candidates"] if c["name"] == report["tuned"])
    found = tuned["scores"].get(report["metric"])
    return None if found is None else {key: found[key] for key in ("value", "low", "high")}


def _column(owner: Run, task: str, report: dict[str, Any]) -> dict[str, Any]:
    """What one column of the matrix is, and how often its test was opened."""
    facts, test = report["scorers"][report["metric"]], report["test"]["sha256"]
    opened = [e for e in owner.events() if e.get("event") == "test_opened" and e["sha256"] == test]
    return {
        "stage": owner.id,
        "task": task or recipe_of(owner).task.name,
        "metric": report["metric"],
        "unit": facts["unit"],
        "better": facts["better"],
        "openings": len(opened),
    }


def _row(earlier: Run, width: int) -> list[Cell | None]:
    """What was measured after an earlier stage; nothing where it was only trained."""
    from afina.evaluate import by_task

    row: list[Cell | None] = []
    if (earlier.folder / "report.json").is_file():
        report = earlier.read("report.json")
        own = [_cell(each) for each in by_task(report).values()]
        row = report["stages"]["matrix"][-1] if "stages" in report else own
    return [*row, *[None] * (width - len(row))]


def _transfer(
    columns: Sequence[dict[str, Any]], matrix: Sequence[Sequence[Cell | None]]
) -> dict[str, Any]:
    """Backward transfer of each task (above zero: later stages helped it, whatever the score), and its
    mean over those whose scores are shares."""
    last, stages = matrix[-1], list(dict.fromkeys(column["stage"] for column in columns))
    each: list[float | None] = []
    for number, column in enumerate(columns):
        now, then = last[number], matrix[stages.index(column["stage"])][number]
        known = now is not None and then is not None and column["stage"] != stages[-1]
        sign = 1 if column["better"] == "higher" else -1
        each.append(sign * (now["value"] - then["value"]) if known and now and then else None)
    shares = [
        t for t, c in zip(each, columns, strict=True) if t is not None and c["unit"] == "share"
    ]
    return {"transfer": each, "backward_transfer": fmean(shares) if shares else None}
