"""The order of the main job: check, plan, train, evaluate, report.

The command line, the Python door and the server all call these functions; nothing here knows how
any step works inside, nor who is watching.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import AfinaError, DataError, RecipeError, RunError, nearest
from afina.recipe import Recipe, dump_recipe, parse_recipe
from afina.recipe.load import parse_yaml

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.evaluate import Report
    from afina.models.render import ChatRenderer
    from afina.models.sources import Base
    from afina.store import Run
    from afina.train.loop import Watcher
    from afina.train.plan import Plan
    from afina.train.rows import Rows

Say = Callable[[str], None]


def _silent(_: str) -> None:
    return None


@dataclass(frozen=True)
class Prepared:
    """Everything that training needs, derived and checked, with nothing written yet."""

    plan: Plan
    dataset: Dataset
    base: Base
    renderer: ChatRenderer
    rows: Rows
    validation: Rows


@dataclass(frozen=True)
class LossRow:
    """One row as it is trained: pieces of text and whether the loss counts them."""

    where: str
    pieces: tuple[tuple[str, bool], ...]
    tokens: int
    loss_tokens: int


# ---------------------------------------------------------------------------- check and plan


def check(recipe: Recipe, *, say: Say = _silent) -> Dataset:
    """Read, check and split the data, with lengths in tokens of the recipe's base."""
    from afina.data import prepare
    from afina.models.load import load_renderer
    from afina.models.sources import resolve

    renderer = load_renderer(resolve(recipe.base, say=say))
    task = recipe.task
    return prepare(recipe.data, task, count_tokens=lambda e: task.length(e, renderer))


def show_loss(recipe: Recipe, count: int = 3, *, say: Say = _silent) -> list[LossRow]:
    """The first training rows with the tokens in the loss marked.

    Raises DataError for rows whose answer would be cut off or whose loss is empty.
    """
    ready = prepare(recipe, Path.cwd(), say=say)
    if ready.plan.recipe.task.head != "tokens":
        raise DataError(
            "a classifier has no tokens in the loss: it learns the label of each text",
            where="task",
            do="--show-loss is for task: generate",
        )
    where = {e.id: e.where for e in ready.dataset.train}
    return [
        LossRow(
            where[row.row],
            ready.renderer.pieces(row),
            len(row.ids),
            sum(t >= 0 for t in row.targets),
        )
        for row in ready.rows.kept[:count]
    ]


def prepare(recipe: Recipe, home: Path, *, say: Say = _silent) -> Prepared:
    """Data, base and plan of a recipe; raises if the run could not be made."""
    from afina.data import prepare as prepare_data
    from afina.models.load import check_kind, load_renderer
    from afina.models.sources import resolve
    from afina.train.machine import probe
    from afina.train.plan import make_plan
    from afina.train.rows import encode

    dataset = prepare_data(recipe.data, recipe.task)
    _check_evaluation(recipe, dataset)
    base = resolve(recipe.base, say=say)
    check_kind(base, dataset.task)
    renderer = load_renderer(base)
    limit = recipe.train.max_length or base.context_length
    rules: dict[str, Any] = {"max_length": limit, "on_too_long": recipe.train.on_too_long}
    rows = encode(dataset.train, dataset.task, renderer, **rules)
    validation = encode(dataset.validation, dataset.task, renderer, **rules)
    machine = probe(recipe.train.device, home, recipe.train.threads)
    plan = make_plan(recipe, dataset.task, base, rows, validation, len(dataset.test), machine)
    return Prepared(plan, dataset, base, renderer, rows, validation)


def _check_evaluation(recipe: Recipe, dataset: Dataset) -> None:
    """Refuse scorers, baselines and a goal that do not exist, before hours of training."""
    from afina.baselines import BASELINES
    from afina.evaluate.scorers import choose

    choose(dataset.task, recipe.evaluate.scorers, recipe.goal)
    for name in recipe.evaluate.baselines or ():
        if name not in BASELINES:
            raise RecipeError(
                f"no baseline is called {name}",
                where="evaluate.baselines",
                do=nearest(name, BASELINES),
            )


# ---------------------------------------------------------------------------- train


def train(
    recipe: Recipe, home: Path, *, watch: Watcher | None = None, say: Say = _silent
) -> tuple[Run, dict[str, Any]]:
    """Train a recipe in a new run. Returns the run and the contract's object without ``report``."""
    from afina.store import Run

    ready = prepare(recipe, home, say=say)
    run = Run.create(home, recipe.name)
    run.write("recipe.yaml", dump_recipe(ready.plan.recipe))
    run.write("plan.json", ready.plan.as_dict())
    ready.dataset.write(run.folder / "data")
    return run, _train_in(run, ready, watch)


def resume(
    home: Path, ref: str, *, watch: Watcher | None = None, say: Say = _silent
) -> tuple[Run, dict[str, Any]]:
    """Go on with an interrupted run, by its own plan and on the same data.

    Raises RunError if it has succeeded already, or if data or base are no longer the same.
    """
    from afina.store import Run

    run = Run.open(home, ref)
    if run.status == "succeeded":
        raise RunError("this run is finished", where=run.id, do="start a new one: afina run RECIPE")
    ready = _reopen(run, say)
    return run, _train_in(run, ready, watch)


def _reopen(run: Run, say: Say) -> Prepared:
    from afina.models.load import load_renderer
    from afina.models.sources import resolve
    from afina.train.plan import Plan
    from afina.train.rows import encode

    plan = Plan.from_dict(run.read("plan.json"))
    dataset = reopen_dataset(run)
    base = resolve(plan.recipe.base, say=say)
    if base.sha256 != plan.base["sha256"]:
        raise RunError(
            f"the base {base.name} has changed since this run began",
            where=run.id,
            do="fetch the same base again, or start a new run",
        )
    renderer = load_renderer(base)
    limit = plan.recipe.train.max_length
    rules: dict[str, Any] = {"max_length": limit, "on_too_long": plan.recipe.train.on_too_long}
    rows = encode(dataset.train, dataset.task, renderer, **rules)
    validation = encode(dataset.validation, dataset.task, renderer, **rules)
    return Prepared(plan, dataset, base, renderer, rows, validation)


def recipe_of(run: Run) -> Recipe:
    """The resolved recipe of a run."""
    where = str(run.folder / "recipe.yaml")
    return parse_recipe(parse_yaml(run.read("recipe.yaml"), where), where=where)


def reopen_dataset(run: Run) -> Dataset:
    """The data of a run, read again. Raises RunError if it is no longer the same."""
    from afina.data import prepare as prepare_data

    recipe = recipe_of(run)
    dataset = prepare_data(recipe.data, recipe.task)
    noted = run.read("data/fingerprint.json")["fingerprint"]
    if dataset.fingerprint != noted:
        raise RunError(
            "the data have changed since this run began",
            where=f"{run.id}: {recipe.data.train}",
            do="restore the files, or start a new run",
        )
    return dataset


def _train_in(run: Run, ready: Prepared, watch: Watcher | None) -> dict[str, Any]:
    from afina.errors import Interrupted
    from afina.train.loop import run as train_run

    with run.lock():
        run.set_status("running")
        try:
            figures = train_run(
                ready.plan,
                ready.base,
                ready.rows,
                ready.validation,
                run,
                renderer=ready.renderer,
                watch=watch,
            )
        except Interrupted:
            run.set_status("interrupted")
            raise
        except AfinaError as error:
            run.set_status("failed", error=error.as_json()["error"])
            _record(run, ready.plan.recipe, {"status": "failed"})
            raise
        figures["disk_bytes"] = _folder_bytes(run.folder)
        run.write("train.json", figures)
        run.set_status("succeeded")
    _record(run, ready.plan.recipe, {"status": "succeeded"})
    outcome = outcome_of(run, ready.dataset)
    run.seal({"command": _command(run), "data": ready.dataset.fingerprint})
    return outcome


def outcome_of(run: Run, dataset: Dataset) -> dict[str, Any]:
    """The contract's JSON object of a run, without ``report``."""
    counts = dataset.check.as_dict()
    return {
        "run": run.id,
        "folder": str(run.folder),
        "status": run.status,
        "data": {
            "rows": counts["rows"],
            "kept": counts["kept"],
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test),
            "dropped": counts["dropped"],
        },
        "train": run.read("train.json"),
    }


# ---------------------------------------------------------------------------- evaluate


def evaluate(run: Run, *, say: Say = _silent, language: str = "en") -> Report:
    """Measure a run's model and its baselines on the sealed test; write the report."""
    from afina.evaluate import evaluate as measure

    if run.status != "succeeded":
        raise RunError(
            f"this run is {run.status}: there is no model to measure",
            where=run.id,
            do=f"afina train --resume {run.id}" if run.status == "interrupted" else "train again",
        )
    recipe = recipe_of(run)
    dataset = reopen_dataset(run)
    test = dataset.test.open(by=f"evaluation of {run.id}")
    run.event("test_opened", sha256=dataset.test.sha256, rows=len(dataset.test))
    report = measure(
        candidates(run, recipe, dataset, say),
        test,
        task=recipe.task,
        tuned="tuned",
        goal=recipe.goal,
        settings=recipe.evaluate,
        seed=recipe.train.seed,
        test_sha256=dataset.test.sha256,
        say=say,
    )
    run.write("report.json", report.as_dict())
    write_html(run, report, dataset, language)
    _record(run, recipe, {"status": "succeeded", **_headline(report)})
    run.seal({"command": _command(run), "data": dataset.fingerprint})
    return report


def candidates(run: Run, recipe: Recipe, dataset: Dataset, say: Say = _silent) -> list[Candidate]:
    """The tuned model and the baselines, each opened when its turn comes and let go after it."""
    from afina.baselines import build
    from afina.models.predictor import TunedModel
    from afina.models.sources import resolve

    base = resolve(recipe.base, say=say)

    def opener(name: str) -> Callable[[], Any]:
        return lambda: build(
            name,
            task=recipe.task,
            train=dataset.train,
            base=base,
            settings=recipe.evaluate,
            seed=recipe.train.seed,
        )

    tuned = Candidate("tuned", lambda: TunedModel.open(run.model_folder), say)
    names = recipe.evaluate.baselines or recipe.task.baselines()
    return [tuned, *(Candidate(name, opener(name), say) for name in names)]


class Candidate:
    """A predictor that is opened at its first question; ``close`` gives its memory back."""

    def __init__(self, name: str, opener: Callable[[], Any], say: Say) -> None:
        self.name = name
        self._opener = opener
        self._say = say
        self._opened: Any = None

    @property
    def predictor(self) -> Any:
        """The real one. Raises what its builder raises."""
        if self._opened is None:
            self._say(f"measuring {self.name}")
            self._opened = self._opener()
        return self._opened

    def predict(self, inputs: Sequence[Any]) -> list[Any]:
        answers: list[Any] = self.predictor.predict(inputs)
        return answers

    def close(self) -> None:
        import gc

        self._opened = None
        gc.collect()


def write_html(run: Run, report: Report, dataset: Dataset, language: str) -> None:
    """Draw report.html from what the run holds."""
    from afina.evaluate import html

    plan = run.read("plan.json")
    facts = {
        "run": run.id,
        "recipe": plan["recipe"],
        "plan": plan["derived"],
        "estimates": plan["estimate"],
        "train": run.read("train.json"),
        "metrics": list(run.metrics()),
        "events": [e for e in run.events() if e.get("event") == "overfitting"],
        "data": {
            **dataset.check.as_dict(),
            "train": len(dataset.train),
            "validation": len(dataset.validation),
            "test": len(dataset.test),
            "split": dataset.split_description,
            "fingerprint": dataset.fingerprint,
        },
        "base": plan["base"],
        "machine": plan["machine"],
        "command": _command(run),
        "versions": versions(),
    }
    run.write("report.html", html(report.as_dict(), facts, language=language))


# ---------------------------------------------------------------------------- the main job


def run_recipe(
    recipe: Recipe,
    home: Path,
    *,
    watch: Watcher | None = None,
    say: Say = _silent,
    language: str = "en",
) -> tuple[Run, dict[str, Any]]:
    """The main job: check, plan, train, evaluate, report. Returns the run and the contract's object."""
    started = time.perf_counter()
    run, outcome = train(recipe, home, watch=watch, say=say)
    report = evaluate(run, say=say, language=language)
    outcome["report"] = report.as_dict()
    outcome["seconds"] = round(time.perf_counter() - started, 3)
    return run, outcome


def gate_says_no(outcome: dict[str, Any], goal_was_stated: bool) -> bool:
    """Whether the verdict forbids: shown not to be good enough, or a stated goal not proven."""
    verdict = outcome["report"]["verdict"]
    return verdict == "hold" or (goal_was_stated and verdict != "ship")


# ---------------------------------------------------------------------------- inside


def versions() -> dict[str, str]:
    """Versions of what decides the result."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for name in ("afina", "torch", "transformers", "peft", "tokenizers", "numpy", "scikit-learn"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _headline(report: Report) -> dict[str, Any]:
    value = report.as_dict()
    tuned = next(c for c in value["candidates"] if c["name"] == "tuned")
    score = tuned["scores"].get(value["metric"], {})
    return {"metric": value["metric"], "value": score.get("value"), "verdict": value["verdict"]}


def _record(run: Run, recipe: Recipe, facts: dict[str, Any]) -> None:
    from afina.store import Registry

    named = {
        "name": recipe.name,
        "folder": str(run.folder),
        "base": recipe.base,
        "task": recipe.task.name,
        "method": recipe.method.name if recipe.method else None,
    }
    Registry(run.home).record(run.id, {**named, **facts})


def _command(run: Run) -> str:
    return f"afina run {run.folder / 'recipe.yaml'}"


def _folder_bytes(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
