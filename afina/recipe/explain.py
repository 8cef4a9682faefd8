"""The knobs as rows: name, type and default, sentence. Help, docs and errors are made from them."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel

from afina.errors import RecipeError, nearest
from afina.recipe.recipe import Part, Recipe


def json_schema() -> dict[str, Any]:
    """JSON schema of the recipe; the sentences of the knobs are its descriptions."""
    return Recipe.model_json_schema()


def explain(key: str = "") -> list[tuple[str, str, str]]:
    """``(key, type and default, sentence)`` of the knobs at and below a key. Raises RecipeError."""
    rows = [
        row for row in _walk(Recipe, "") if not key or row[0] == key or row[0].startswith(key + ".")
    ]
    if not rows:
        known = [row[0] for row in _walk(Recipe, "")]
        raise RecipeError(f"no knob is called {key}", where=key, do=nearest(key, known))
    return rows


def names_of(part: str) -> list[str]:
    from afina.methods import METHODS
    from afina.objectives import OBJECTIVES
    from afina.tasks import TASKS

    kinds: Iterable[type[BaseModel]] = {
        "task": TASKS,
        "method": METHODS,
        "objective": OBJECTIVES,
    }[part]
    return [str(kind.model_fields["name"].default) for kind in kinds]


def key_path(location: Sequence[str | int]) -> str:
    """``('method', 'lora', 'rank')`` to ``method.rank``: the name of the choice is no key."""
    parts = [str(part) for part in location]
    if (
        len(parts) > 1
        and parts[0] in ("task", "method", "objective")
        and parts[1] in names_of(parts[0])
    ):
        del parts[1]
    return ".".join(p for p in parts if not p.startswith("function-") and "[" not in p)


def children_of(parent: str, location: Sequence[str | int]) -> list[tuple[str, str, str]]:
    depth = parent.count(".") + 2 if parent else 1
    chosen = str(location[1]) if len(location) > 2 else None
    rows = _walk(Recipe, "", only=chosen)
    prefix = parent + "." if parent else ""
    return [r for r in rows if r[0].startswith(prefix) and r[0].count(".") == depth - 1]


def _walk(
    model: type[BaseModel], prefix: str, only: str | None = None
) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        kinds = _models(field.annotation)
        default = (
            ""
            if field.is_required()
            else f" = {_short(field.get_default(call_default_factory=True))}"
        )
        kind = "choice" if kinds else _type_name(field.annotation)
        rows.append((key, kind + default, " ".join((field.description or "").split())))
        named = [k for k in kinds if "name" in k.model_fields and k is not Recipe]
        if named and only is not None:
            matching = [k for k in named if str(k.model_fields["name"].default) == only]
            kinds = matching or kinds
        below = f"{key}.NAME." if by_name(field.annotation) else f"{key}."
        if model is Part:  # its keys are those of the top, told there
            kinds = []
        for child in kinds:
            rows += _walk(child, below, only)
    seen: set[tuple[str, str]] = set()
    return [r for r in rows if not ((r[0], r[2]) in seen or seen.add((r[0], r[2])))]  # type: ignore[func-returns-value]


def by_name(annotation: Any) -> bool:
    """Whether the keys below are names of the user's, each with the same keys below it."""
    return typing.get_origin(annotation) is dict or any(map(by_name, typing.get_args(annotation)))


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    found: list[type[BaseModel]] = []
    for part in typing.get_args(annotation):
        found += _models(part)
    return found


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type):
        return annotation.__name__
    if typing.get_origin(annotation) is typing.Literal:
        return " | ".join(str(a) for a in typing.get_args(annotation))
    parts = [p for p in typing.get_args(annotation) if p is not type(None)]
    if typing.get_origin(annotation) is tuple:
        return "list"
    return " | ".join(_type_name(p) for p in parts if not hasattr(p, "ge"))


def _short(value: Any) -> str:
    if value is None:
        return "derived"
    if isinstance(value, BaseModel):
        return str(getattr(value, "name", "…"))
    return str(value)
