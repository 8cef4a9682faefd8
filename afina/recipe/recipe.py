"""The recipe: all that a run is asked to do, for one task or for several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field, StringConstraints, model_validator

from afina.objectives import Supervised
from afina.recipe.alternatives import Decide, Retrieval
from afina.recipe.knobs import (
    AnyMethod,
    AnyObjective,
    AnyTask,
    Data,
    Evaluate,
    Goal,
    Serve,
    Train,
    named,
)
from afina.recipe.search import Sweep
from afina.recipe.several import joined, refuse_tasks, split
from afina.tasks import TASKS, Several
from afina.types import Example, Knobs, Task

TaskName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""Letters, digits, dash and underscore: it names a folder, and a model of the server."""


if TYPE_CHECKING:  # None in a recipe of several tasks alone, and there ``parts`` is asked
    OneTask: TypeAlias = Task
    OneData: TypeAlias = Data
else:
    OneTask = AnyTask | None
    OneData = Data | None
_LEFT_OUT: Any = None


class Part(Knobs):
    """One of several tasks that a run learns together. What is not said here is said for all."""

    task: AnyTask
    """What is learned."""
    data: Data
    """Its own examples."""
    weight: float | None = Field(None, gt=0)
    """How often it has its turn, beside the weights of the others; all have one, or none."""
    objective: AnyObjective | None = None
    """Its own loss; left out: the recipe's, and where that says none the usual one of the task."""
    evaluate: Evaluate | None = None
    """What it is measured against; left out: as the recipe says for all."""
    goal: Goal | None = None
    """What it must reach."""


class Recipe(Knobs):
    """All that a run is asked to do."""

    name: str | None = Field(None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """A name for the run, of letters, digits, dot, dash and underscore."""
    task: OneTask = _LEFT_OUT
    """What is learned; left out where ``tasks`` says it."""
    base: str = Field(min_length=1)
    """The model to start from: hub id, folder, or .gguf file."""
    data: OneData = _LEFT_OUT
    """The examples; left out where each of ``tasks`` has its own."""
    tasks: dict[TaskName, Part] = Field({})
    """Several tasks learned together, by names of your choice, over one body: each has its own head, or
    all of them write text."""
    method: AnyMethod | None = None
    """Which weights may move."""
    objective: AnyObjective = Supervised()
    """Which loss is minimised."""
    train: Train = Train()
    """How the weights are moved."""
    evaluate: Evaluate = Evaluate()
    """What the tuned model is measured against."""
    retrieval: Retrieval | None = None
    """Documents to answer from: adds the baseline rag."""
    decide: Decide = Decide()
    """How the ways are compared before training (afina decide)."""
    sweep: Sweep = Sweep()
    """How the knobs of training are searched (afina sweep)."""
    goal: Goal | None = None
    """What must be reached."""
    serve: Serve = Serve()
    """Where the model answers."""

    @model_validator(mode="before")
    @classmethod
    def _usual_objective(cls, value: Any) -> Any:
        """A task that is never learned by the supervised loss brings its own."""
        if not isinstance(value, dict):
            return value
        tasks = value.get("tasks")
        if not isinstance(tasks, dict) or not tasks:
            return _with_objective(value, None)
        own = {n: _with_objective(part, value.get("objective")) for n, part in tasks.items()}
        return {**value, "tasks": own}

    @property
    def writes(self) -> bool:
        """Whether the tuned model goes on with a text, as its base does."""
        return self.learned.head == "tokens" and not self.learned.reads_source

    @property
    def shapes(self) -> tuple[type[Example], ...]:
        """The shapes of rows that both the task and the objective can use."""
        return tuple(shape for shape in self.task.accepts if shape in self.objective.shapes)

    @property
    def parts(self) -> dict[str, Recipe]:
        """A recipe of one task for each of ``tasks``; ``{"": self}`` where there is one only.

        Whatever works on rows works on these, and there ``task`` and ``data`` always are.
        """
        return split(self)

    def with_parts(self, parts: Mapping[str, Recipe]) -> Recipe:
        """The same recipe with what ``parts`` gave out, changed."""
        return joined(self, parts)

    @property
    def learned(self) -> Task:
        """What the network is made for: the task, or all of ``tasks``."""
        if not self.tasks:
            return self.task
        return Several(tasks={name: part.task for name, part in self.tasks.items()})

    @property
    def fields(self) -> tuple[str, ...]:
        """Columns of the test rows that the report is sliced by."""
        groups = self.evaluate.bias.groups if self.evaluate.bias else ()
        return tuple(dict.fromkeys((*self.evaluate.slices, *groups)))

    @model_validator(mode="after")
    def _one_task_or_several(self) -> Recipe:
        if self.tasks:
            refuse_tasks(self)
        elif self.task is None:
            raise ValueError("task: is missing (what is learned: classify, generate, …)")
        elif self.data is None:
            raise ValueError("data: is missing (where the examples are: data: {train: FILE})")
        elif self.train.mixing is not None:
            raise ValueError("train.mixing is of use with several tasks only (tasks:)")
        return self

    @model_validator(mode="after")
    def _general_rows_make_sense(self) -> Recipe:
        for part in () if self.writes else self.parts.values():
            if part.evaluate.probe:
                raise ValueError(
                    "evaluate.probe asks a model that writes text, and a "
                    f"{part.task.name} task leaves none"
                )
            if part.data.replay:
                raise ValueError(
                    "data.replay holds rows of other tasks, which a "
                    f"{part.task.name} task cannot learn"
                )
        return self

    @model_validator(mode="after")
    def _tasks_fit(self) -> Recipe:
        for name, part in self.parts.items():
            at = f"tasks.{name}: " if name else ""
            if not part.shapes:
                raise ValueError(
                    f"{at}objective {part.objective.name} has nothing to learn from the rows of a "
                    f"{part.task.name} task"
                )
            by_method = self.method.refuses(part.task.head) if self.method else ""
            reason = part.objective.refuses(part.task) or by_method
            if reason:
                raise ValueError(at + reason)
        return self


def _with_objective(value: Any, said: Any) -> Any:
    """A recipe or a part of it with an objective: its own, the one that is said for all, or the usual
    one of its task. As it is where nothing can be told of it."""
    if not isinstance(value, dict) or value.get("objective") is not None:
        return value
    name = named(value.get("task"))
    name = name.get("name") if isinstance(name, dict) else getattr(name, "name", None)
    usual = {t.model_fields["name"].default: t.usual_objective for t in TASKS}.get(name)
    chosen = said if said is not None else usual and {"name": usual}
    return value if chosen is None else {**value, "objective": chosen}
