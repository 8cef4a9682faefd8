"""Evaluate: the tuned model and its baselines on the sealed test, and the report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from afina.errors import RequestError, RunError, nearest
from afina.flow.general import long_probe_of, open_base, open_tuned
from afina.flow.lengths import measurable
from afina.flow.lineage import earlier
from afina.flow.passages import as_asked
from afina.flow.preparing import Say, silent
from afina.flow.record import (
    command_of,
    data_folder,
    fingerprint_of,
    folder_bytes,
    recipe_of,
    record,
    reopen_datasets,
    rows_made,
    rule_changes,
    tests_note,
)
from afina.flow.rewarding import rate_of
from afina.flow.stages import measure_stages
from afina.recipe import Recipe, of_task
from afina.types import Example, Task

if TYPE_CHECKING:
    from afina.baselines import Baseline
    from afina.data import Dataset
    from afina.evaluate import Report, Reports
    from afina.evaluate.probe import Pair
    from afina.models.sources import Base
    from afina.store import Run
    from afina.train.machine import MemoryPeak


def evaluate(run: Run, *, say: Say = silent, language: str = "en") -> Report | Reports:
    """Measure a run's model and its baselines on the sealed test of each task; write the report.

    Raises RunError while another process works on the run.
    """
    with run.lock():
        return _evaluate(run, say, language)


def _evaluate(run: Run, say: Say, language: str) -> Report | Reports:
    from afina.evaluate import together
    from afina.models.context import base_of

    recipe, before = recipe_to_measure(run), earlier(run)
    datasets = reopen_datasets(run)
    base = base_of(recipe, say=say)
    reports = {}
    for name, view in recipe.parts.items():
        if name:
            say(f"task {name}")
        reports[name] = _measure(run, name, view, datasets[name], base, say)
    for name, each in reports.items():
        run.write(f"rows-{name}.json" if name else "rows.json", each.kept)
    report = together(reports)
    stages = measure_stages(run, before, report, say)
    run.write("report.json", report.as_dict() | ({"stages": stages} if stages else {}))
    write_html(run, report, datasets, language)
    record(run, recipe, {"status": "succeeded", **_headline(report)})
    run.seal({"command": command_of(run), "data": fingerprint_of(datasets)})
    return report


def _measure(run: Run, name: str, recipe: Recipe, dataset: Dataset, base: Base, say: Say) -> Report:
    """The report of one task of a run."""
    from afina.evaluate.expectations import read_expectations

    expectations = None
    if recipe.evaluate.tests is not None:
        noted = tests_note(name)
        stated = run.read(noted)["sha256"] if (run.folder / noted).is_file() else ""
        expectations = replace(read_expectations(recipe.evaluate.tests, recipe.task), stated=stated)
    changed = rule_changes(run, recipe, dataset, name)
    opened = {"sha256": dataset.test.sha256, "rows": len(dataset.test)}
    run.event("test_opened", **opened, **({"task": name} if name else {}))
    return judged(
        candidates(run, name, recipe, dataset, base, say),
        recipe,
        dataset,
        base,
        by=f"evaluation of {run.id}",
        part=run,
        name=name,
        say=say,
        expectations=expectations,
        probed=probed(run, name, recipe, base, say),
        rate=rate_of(recipe, run),
        changed=changed,
    )


def judged(
    asked: Sequence[Candidate],
    recipe: Recipe,
    dataset: Dataset,
    base: Base,
    *,
    by: str,
    part: Run,
    name: str = "",
    say: Say = silent,
    **more: Any,
) -> Report:
    """Candidates on the sealed test of ``dataset``, which is opened for ``by``.

    ``part``: the run, or the folder like one, in which it was trained; ``name``: of several tasks;
    ``more``: what ``evaluate.evaluate`` takes of a whole run alone.
    """
    from afina.evaluate import evaluate as measure
    from afina.train.thresholds import note_of

    test, noted = dataset.test.open(by=by), note_of(name)
    measured = measurable(test, recipe.task, base, recipe)
    return measure(
        asked,
        measured,
        task=recipe.task.over(test, (*dataset.train, *dataset.validation)),
        tuned="tuned",
        goal=recipe.goal,
        settings=recipe.evaluate,
        seed=recipe.train.seed,
        test_sha256=dataset.test.sha256,
        left_out=len(test) - len(measured),
        thresholds=part.read(noted) if (part.folder / noted).is_file() else (),
        say=say,
        **more,
    )


def try_expectations(
    run: Run,
    tests: str | None = None,
    candidate: str = "tuned",
    *,
    task: str = "",
    say: Say = silent,
) -> dict[str, Any]:
    """Ask one candidate of a run (``task``: of several) a file of expectations (left out: the
    recipe's); the sealed test stays shut. Raises RequestError for a name that is no candidate or
    without any file."""
    from afina.evaluate.expectations import read_expectations
    from afina.models.context import base_of

    recipe = of_task(recipe_to_measure(run), task)
    path = tests or recipe.evaluate.tests
    if path is None:
        raise RequestError(
            "the recipe names no file of expectations", where="evaluate.tests", do="name one"
        )
    expectations = read_expectations(path, recipe.task)
    rivals = () if candidate == "tuned" else (candidate,)
    base, dataset = base_of(recipe, say=say), reopen_datasets(run)[task]
    *_, asked = candidates(run, task, recipe, dataset, base, say, rivals=rivals)
    return expectations.tried(asked, recipe.task)


def recipe_to_measure(run: Run) -> Recipe:
    """The recipe of a run that has a model. Raises RunError for another."""
    if run.status != "succeeded":
        raise RunError(
            f"this run is {run.status}: there is no model to measure",
            where=run.id,
            do=f"afina train --resume {run.id}" if run.status == "interrupted" else "train again",
        )
    return recipe_of(run)


def candidates(
    run: Run,
    task: str,
    recipe: Recipe,
    dataset: Dataset,
    base: Base,
    say: Say = silent,
    *,
    rivals: Sequence[str] | None = None,
) -> list[Candidate]:
    """The tuned model and the baselines, each opened when its turn comes and let go after it.

    ``task``: of several; ``rivals``: baselines in place of the recipe's. Raises RequestError for a name
    that is none.
    """
    from afina.models.predictor import TunedModel

    assert recipe.method is not None
    own = folder_bytes(run.model_folder) + (base.bytes if recipe.method.adapter else 0)
    tuned = Candidate(
        "tuned",
        lambda: as_asked(recipe, TunedModel.open(run.model_folder, task=task), say),
        say,
        own,
    )
    return [tuned, *baselines(recipe, dataset, base, say, rivals=rivals)]


def baselines(
    recipe: Recipe,
    dataset: Dataset,
    base: Base,
    say: Say = silent,
    *,
    rivals: Sequence[str] | None = None,
) -> list[Candidate]:
    """The baselines alone, as ``candidates`` has them."""
    from afina.baselines import BASELINES

    names = recipe.evaluate.baselines if rivals is None else rivals
    if names is None:
        names = recipe.task.baselines()
    for name in names:
        if name not in BASELINES:
            raise RequestError(
                f"no candidate is called {name}",
                where="evaluate.baselines",
                do=nearest(name, ("tuned", *BASELINES)),
            )
    parts = (recipe.task, base, dataset.train, dataset.validation)
    return [Candidate(name, partial(build_asked, name, recipe, *parts), say) for name in names]


def build_asked(
    name: str,
    recipe: Recipe,
    task: Task,
    base: Base,
    train: Sequence[Example],
    validation: Sequence[Example],
) -> Baseline:
    """A baseline as a recipe asks for it, fitted on these rows; ``task`` is resolved."""
    from afina.baselines import build

    return build(
        name,
        task=task,
        train=train,
        base=base,
        settings=recipe.evaluate,
        seed=recipe.train.seed,
        device=recipe.train.device,
        precision=recipe.train.precision,
        validation=validation,
        goal=recipe.goal,
        retrieval=recipe.retrieval,
    )


def probed(run: Run, task: str, recipe: Recipe, base: Base, say: Say) -> list[Pair]:
    """What the base and the tuned model are both asked: the general probe, and with a longer context
    what shows how far it is read."""
    from afina.evaluate.probe import Pair, Probe
    from afina.models.predictor import find_device

    device = find_device("auto")

    def pair(probe: Probe, length: int = 0) -> Pair:
        what = "long texts" if length else "the general probe"
        return Pair(
            probe,
            (
                Candidate(f"the base on {what}", lambda: open_base(recipe, device, length), say),
                Candidate(f"tuned on {what}", lambda: open_tuned(run, task, length), say),
            ),
            length,
        )

    found = [pair(Probe.of(recipe.evaluate.probe))] if recipe.evaluate.probe else []
    if recipe.train.context is not None:
        length = recipe.train.context.length
        found.append(pair(long_probe_of(base), length))
    return found


class Candidate:
    """A predictor that is opened at its first question; ``close`` gives its memory back.

    ``disk_bytes``: what it needs on disk; None: what it says of itself once it is open, if anything.
    """

    def __init__(
        self, name: str, opener: Callable[[], Any], say: Say, disk_bytes: int | None = None
    ) -> None:
        self.name = name
        self._opener = opener
        self._say = say
        self._disk_bytes = disk_bytes
        self._opened: Any = None
        self._memory: MemoryPeak | None = None

    @property
    def predictor(self) -> Any:
        """The real one. Raises what its builder raises."""
        if self._opened is None:
            from afina.models.predictor import find_device
            from afina.train.machine import MemoryPeak

            self._say(f"measuring {self.name}")
            self._memory = MemoryPeak(find_device("auto"))
            self._opened = self._opener()
        return self._opened

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        answers: list[Any] = self.predictor.predict(inputs)
        return answers

    def weight(self) -> dict[str, float | None]:
        """The most memory of this process (of the GPU, where it runs there) since it was opened, and
        its size on disk, in bytes."""
        peak = None if self._memory is None else float(self._memory.bytes())
        disk = self._disk_bytes
        if disk is None and (facts := getattr(self._opened, "facts", None)) is not None:
            disk = facts.disk_bytes
        return {"peak_memory_bytes": peak, "disk_bytes": disk}

    def close(self) -> None:
        import gc

        self._opened = None
        gc.collect()


def write_html(
    run: Run, report: Report | Reports, datasets: Mapping[str, Dataset], language: str
) -> None:
    """Draw report.html from what the run holds; of several tasks also a page for each."""
    from afina.evaluate import Reports, html, html_of_several
    from afina.store import versions

    plan = run.read("plan.json")
    facts = {
        "run": run.id,
        "recipe": plan["recipe"],
        "plan": plan["derived"],
        "estimates": plan["estimate"],
        "train": run.read("train.json"),
        "metrics": list(run.metrics()),
        "events": [e for e in run.events() if e.get("event") == "overfitting"],
        "base": plan["base"],
        "machine": plan["machine"],
        "command": command_of(run),
        "versions": versions(),
        "stages": run.read("report.json").get("stages"),
    }
    for name, each in (report.tasks if isinstance(report, Reports) else {"": report}).items():
        own = {**facts, "data": _facts_of(run, name, datasets[name])}
        if name:
            heat = facts["train"].get("temperatures", {}).get(name)
            own |= {"task": name, "recipe": plan["recipe"]["tasks"][name]}
            own |= {"train": {**facts["train"], "temperature": heat}}
        page = html(each.as_dict(), own, language=language)
        run.write(f"report-{name}.html" if name else "report.html", page)
    if isinstance(report, Reports):
        run.write("report.html", html_of_several(report, facts, language))


def _facts_of(run: Run, name: str, dataset: Dataset) -> dict[str, Any]:
    """What the page says of the data of one task."""
    return {
        **run.read(f"{data_folder(name)}/check.json"),
        "train": len(dataset.train),
        "validation": len(dataset.validation),
        "test": len(dataset.test),
        "split": dataset.split,
        "fingerprint": dataset.fingerprint,
        **rows_made(run, name),
    }


def _headline(report: Report | Reports) -> dict[str, Any]:
    from afina.evaluate import Reports

    if isinstance(report, Reports):
        return {"verdict": report.verdict}
    score = report.candidate("tuned").scores.get(report.metric)
    return {
        "metric": report.metric,
        "value": None if score is None else score.value,
        "verdict": report.verdict,
    }
