"""The Python door: what ``import afina`` offers. The same steps as the command line.

Training and measuring alone are ``run(recipe, evaluate=False)`` and ``Run.evaluate()``: the names
``afina.train`` and ``afina.evaluate`` belong to the rooms.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.data.asked import Asked, as_inputs
from afina.errors import RunError
from afina.recipe import Recipe, of_task, parse_recipe
from afina.types import Answer

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.evaluate import Report, Reports
    from afina.models.predictor import TunedModel
    from afina.retrieval import Rag
    from afina.store import Run as RunFolder
    from afina.train.loop import Watcher
    from afina.train.plan import Plan

RecipeLike = Recipe | Mapping[str, Any] | str | Path
Say = Callable[[str], None]


def _silent(_: str) -> None:
    return None


def run(
    recipe: RecipeLike,
    *,
    set: Mapping[str, Any] | Sequence[str] = (),  # noqa: A002  (the word of the command line)
    home: str | Path | None = None,
    evaluate: bool = True,
    watch: Watcher | None = None,
    say: Say = _silent,
    language: str = "en",
) -> Run:
    """The main job: check, plan, train, measure, report. Raises errors of ``afina.errors``.

    ``recipe``: a file, a mapping or a Recipe. ``set`` overrides keys (``{"train.epochs": 5}``).
    ``home`` holds the runs (else AFINA_HOME, else ``./afina-home``). ``watch`` is told every step.
    """
    from afina import flow

    folder = home_folder(home)
    asked = as_recipe(recipe, set, folder, several=True)
    if evaluate:
        opened, _ = flow.run_recipe(asked, folder, watch=watch, say=say, language=language)
    else:
        opened, _ = flow.train(asked, folder, watch=watch, say=say)
    return Run(opened)


def resume(
    ref: str,
    *,
    home: str | Path | None = None,
    watch: Watcher | None = None,
    say: Say = _silent,
) -> Run:
    """Go on with an interrupted run (its id, folder or ``last``); no evaluation."""
    from afina import flow

    opened, _ = flow.resume(home_folder(home), ref, watch=watch, say=say)
    return Run(opened)


def check(
    recipe: RecipeLike,
    *,
    set: Mapping[str, Any] | Sequence[str] = (),  # noqa: A002
    home: str | Path | None = None,
    say: Say = _silent,
) -> Dataset:
    """Read, check and split the data of a recipe; ``.check`` says what was found."""
    from afina import flow

    return flow.check(as_recipe(recipe, set, home_folder(home)), say=say)


def plan(
    recipe: RecipeLike,
    *,
    set: Mapping[str, Any] | Sequence[str] = (),  # noqa: A002
    home: str | Path | None = None,
    say: Say = _silent,
) -> Plan:
    """Every derived value with its reason, and the estimate; nothing is written."""
    from afina import flow

    folder = home_folder(home)
    return flow.prepare(as_recipe(recipe, set, folder, several=True), folder, say=say).plan


def open_run(ref: str, *, home: str | Path | None = None) -> Run:
    """A run of before: its id, the beginning of one, its folder, ``last``, or a promoted name."""
    from afina.store import Run as RunFolder

    return Run(RunFolder.open(home_folder(home), ref))


class Run:
    """A run and its model. The model is loaded at the first question and kept."""

    def __init__(self, folder: RunFolder) -> None:
        self._run = folder

    def __repr__(self) -> str:
        return f"<afina.Run {self.id} {self.status}>"

    @property
    def id(self) -> str:
        return self._run.id

    @property
    def folder(self) -> Path:
        return Path(self._run.folder)

    @property
    def status(self) -> str:
        return str(self._run.status)

    @property
    def recipe(self) -> Recipe:
        """The recipe with every derived value filled in."""
        from afina import flow

        return flow.recipe_of(self._run)

    @property
    def figures(self) -> dict[str, Any]:
        """What training was and took: steps, tokens, seconds, memory, the hash of the weights."""
        return dict(self._run.read("train.json"))

    @property
    def report(self) -> Report | Reports:
        """The scores with their intervals (``.tasks`` where there are several). Raises RunError if the
        run was not measured yet."""
        from afina.evaluate import read_report

        if not (self.folder / "report.json").exists():
            raise RunError(
                "this run has not been measured",
                where=self.id,
                do="call .evaluate(), or afina eval " + self.id,
            )
        return read_report(self._run.read("report.json"))

    @property
    def verdict(self) -> str:
        """``ship``, ``hold`` or ``unproven``."""
        return str(self.report.verdict)

    @cached_property
    def models(self) -> dict[str, TunedModel]:
        """The tuned model of each task, loaded, over one body; ``""`` for the only one."""
        from afina.models.predictor import TunedModel

        return TunedModel.open_all(self._run.model_folder, name=self.id)

    @property
    def model(self) -> TunedModel:
        """The tuned model, loaded. Raises RequestError where there are several tasks."""
        return self._one("")[1]

    def predict(self, asked: Sequence[Asked], *, task: str = "") -> list[Answer]:
        """One answer for each: a text, a list of ``{role, content}``, a row of data, an Input.

        ``task``: which of several answers. Raises RequestError if there is none of that name.
        """
        recipe, _ = self._one(task)
        answered = recipe.task.judges_answer
        given = as_inputs(asked, recipe.data.columns, answered=answered)
        return self._answers[task].predict(given)

    def _one(self, task: str) -> tuple[Recipe, TunedModel]:
        """Recipe and model of a task."""
        return of_task(self.recipe, task), self.models[task]

    @cached_property
    def _answers(self) -> dict[str, TunedModel | Rag]:
        """The models as they answer: with their documents, or with the texts to choose among."""
        from afina import flow

        for task, model in self.models.items():
            model.candidates = flow.candidates_of(self._run, task)
        return {task: flow.as_asked(*self._one(task)) for task in self.models}

    def evaluate(self, *, say: Say = _silent, language: str = "en") -> Report | Reports:
        """Measure the model and its baselines on the sealed test; write the report."""
        from afina import flow

        return flow.evaluate(self._run, say=say, language=language)

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        api_key: str | None = None,
        say: Say = print,
    ) -> None:
        """Answer over HTTP as the OpenAI API does, until Ctrl-C."""
        from afina.retrieval import Rag
        from afina.serve import ServedModel, serve
        from afina.serve.grounded import Grounded

        models: list[ServedModel] = []
        for task, answers in self._answers.items():
            model = self.models[task]
            models.append(Grounded(model, answers) if isinstance(answers, Rag) else model)
        key = api_key or os.environ.get("AFINA_API_KEY") or None
        serve(models, host=host, port=port, api_key=key, say=say)


def home_folder(home: str | Path | None = None) -> Path:
    """Where the runs are."""
    return Path(home or os.environ.get("AFINA_HOME") or "afina-home")


def as_recipe(
    recipe: RecipeLike,
    changes: Mapping[str, Any] | Sequence[str],
    home: Path,
    *,
    several: bool = False,
) -> Recipe:
    """Any form of a recipe as a checked one, with the changes made; ``several``: as for
    ``load_recipe``."""
    import yaml

    from afina import flow

    if isinstance(changes, Mapping):
        dumped = {k: yaml.safe_dump(v, default_flow_style=True) for k, v in changes.items()}
        changes = [f"{k}={v.removesuffix(chr(10)).removesuffix('...')}" for k, v in dumped.items()]
    if isinstance(recipe, str | Path):
        return flow.read_recipe(recipe, changes, home, several=several)
    if isinstance(recipe, Recipe):
        if not changes and (several or not recipe.tasks):
            return flow.located(recipe, home)
        recipe = recipe.model_dump(mode="json")
    tree = dict(recipe)
    asked = parse_recipe(tree, changes, folder=Path.cwd(), home=home, several=several)
    return flow.located(asked, home)
