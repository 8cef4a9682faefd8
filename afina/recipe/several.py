"""A recipe of several tasks as recipes of one task each, and what makes no sense together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from afina.errors import RequestError

if TYPE_CHECKING:
    from afina.recipe.recipe import Recipe

OWN = ("task", "data", "evaluate", "goal")
"""What each task has for itself; all else is said for all of them."""


def split(recipe: Recipe) -> dict[str, Recipe]:
    """A recipe for each task by its name; ``{"": recipe}`` where there is one only."""
    if not recipe.tasks:
        return {"": recipe}
    return {
        name: recipe.model_copy(
            update={
                "task": part.task,
                "data": part.data,
                "objective": part.objective or recipe.objective,
                "tasks": {},
                "train": recipe.train.model_copy(update={"mixing": None}),
                "evaluate": part.evaluate or recipe.evaluate,
                "goal": part.goal,
            }
        )
        for name, part in recipe.tasks.items()
    }


def of_task(recipe: Recipe, task: str) -> Recipe:
    """The recipe of one task by its name; ``""`` where there is one only. Raises RequestError."""
    parts = split(recipe)
    if task in parts:
        return parts[task]
    names = ", ".join(recipe.tasks)
    raise RequestError(
        f"there is no task {task}" if task else "there are several tasks, and none is named",
        where="--task",
        do=f"name one of: {names}" if names else "leave it out: there is one task only",
    )


def joined(recipe: Recipe, parts: Mapping[str, Recipe]) -> Recipe:
    """The recipe with what ``split`` gave out, changed in what each task has for itself."""
    changed = {name: {key: getattr(part, key) for key in OWN} for name, part in parts.items()}
    if not recipe.tasks:
        return recipe.model_copy(update=changed[""])
    tasks = {n: part.model_copy(update=changed[n]) for n, part in recipe.tasks.items()}
    return recipe.model_copy(update={"tasks": tasks})


def refuse_tasks(recipe: Recipe) -> None:
    """Raise ValueError where several tasks cannot be learned together as the recipe says."""
    parts = recipe.tasks
    given = [key for key in ("task", "data", "goal") if getattr(recipe, key) is not None]
    heads = {name: part.task.head == "tokens" for name, part in parts.items()}
    reads = {part.task.reads_source for part in parts.values()}
    drawn = [
        (n, view.objective) for n, view in split(recipe).items() if view.objective.rewrites_rows
    ]
    weights = [name for name, part in parts.items() if part.weight is not None]
    reason = ""
    if given:
        reason = f"{given[0]}: stands in each of tasks, not beside them"
    elif len(parts) < 2:
        reason = "tasks: names several; one alone is written as task: and data:"
    elif len(set(heads.values())) > 1 or len(reads) > 1:
        kinds = ", ".join(f"{name}: {part.task.name}" for name, part in parts.items())
        reason = (
            "tasks that write text and tasks that put a head on a body need different networks, and "
            f"so do decoders and encoder-decoders ({kinds})"
        )
    elif drawn:
        reason = (
            f"{drawn[0][0]} is learned by objective: {drawn[0][1].name}, whose best weights are those "
            "with the highest reward; those of several have the lowest loss: such a task learns alone"
        )
    elif recipe.retrieval is not None:
        reason = "retrieval is for a recipe of one task"
    elif weights and len(weights) < len(parts):
        reason = f"a weight stands in {', '.join(weights)} alone: all tasks have one, or none"
    elif weights and recipe.train.mixing is not None:
        reason = "train.mixing and the weights of the tasks both say how often each has its turn"
    if reason:
        raise ValueError(reason)
