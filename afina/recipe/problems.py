"""What pydantic found wrong, as one error that names the knob and the nearest known one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from afina.errors import RecipeError, nearest
from afina.recipe.explain import children_of, key_path, names_of


def recipe_error(error: ValidationError, where: str) -> RecipeError:
    found = [_one_problem(problem) for problem in error.errors()]
    key, what, do = found[0]
    problems = [f"{k}: {w}" + (f" ({d})" if d else "") for k, w, d in found[1:20]]
    return RecipeError(what, where=f"{where}: {key}" if key else where, do=do, problems=problems)


def _one_problem(problem: Any) -> tuple[str, str, str]:
    kind, location, prefix = problem["type"], problem["loc"], ""
    if location[:1] == ("tasks",) and len(location) > 2:  # below it stands what stands at the top
        prefix, location = f"tasks.{location[1]}.", location[2:]
    path, what, do = _told(problem, kind, location, "tasks.NAME" if prefix else "")
    return prefix + path, what, do


def _told(problem: Any, kind: str, location: Any, top: str) -> tuple[str, str, str]:
    """``top``: under which key the keys of the first level are known."""
    path = key_path(location)
    message = str(problem["msg"])
    given = problem.get("input")
    if kind == "extra_forbidden":
        *parents, last = path.split(".")
        parent = ".".join(parents)
        siblings = [row[0].rsplit(".", 1)[-1] for row in children_of(parent or top, location)]
        return path, f"unknown key {last}", nearest(last, siblings)
    if kind == "missing":
        return path, "is missing", f"add {path.rsplit('.', 1)[-1]}: to the recipe"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        kinds = {"task": "TASKS", "method": "METHODS", "objective": "OBJECTIVES"}
        if path in kinds:
            names = names_of(path)
            shown = given.get("name") if isinstance(given, Mapping) else given
            if shown is None:
                return path, "has no name", "name one of: " + ", ".join(names)
            return (
                path,
                f"no {path} is called {shown!r}",
                nearest(str(shown), names)
                + ("" if len(names) < 2 else f" (there are: {', '.join(names)})"),
            )
    if kind == "literal_error" and path in ("objective.name", "objective"):
        return (
            "objective",
            f"no objective is called {given!r}",
            "there are: " + ", ".join(names_of("objective")),
        )
    shown = repr(given)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    message = message.removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    remedy = f"afina explain {path} says what it takes" if path else "afina explain lists all keys"
    return path, f"{shown}: {message}" if not isinstance(given, Mapping) else message, remedy
