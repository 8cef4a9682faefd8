"""Writes the pages that follow from the code: recipe.md, cli.md, and the list of tested versions.

``python docs/generate.py`` writes them; ``--check`` says which are out of date (exit code 1).
"""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from afina.cli import VERBS, overview
from afina.cli.arguments import help_text
from afina.methods import METHODS
from afina.objectives import OBJECTIVES
from afina.recipe import Part, Recipe
from afina.recipe.explain import by_name
from afina.tasks import TASKS

ROOT = Path(__file__).resolve().parents[1]
CHOICES: dict[str, tuple[type[BaseModel], ...]] = {
    "task": TASKS,
    "method": METHODS,
    "objective": OBJECTIVES,
}
GENERATED = "<!-- Written by docs/generate.py from the code: make docs. -->\n\n"


def recipe_page() -> str:
    """Every key of a recipe with its type, default and sentence, one table a section."""
    lines = [
        "# The recipe",
        "",
        "Every key, from the code. A value called *derived* is worked out by the plan from the",
        "data, the base and the machine, and `afina plan RECIPE` prints it with its reason.",
        "`-s KEY=VALUE` on the command line sets any key; `afina explain KEY` shows its sentence.",
        *_section(Recipe, "", "## The top"),
    ]
    for name, field in Recipe.model_fields.items():
        for kind in CHOICES.get(name) or _models(field.annotation):
            chosen = kind.model_fields["name"].default if name in CHOICES else ""
            lines += _section(kind, name, f"## `{name}: {chosen}`" if chosen else f"## `{name}`")
    return GENERATED + "\n".join(lines) + "\n"


def _section(model: type[BaseModel], key: str, title: str) -> Iterator[str]:
    """A table of a model's keys, then its sections below."""
    yield from ("", title, "", *([] if not key else [" ".join((model.__doc__ or "").split()), ""]))
    yield from ("| key | value | what it is |", "|---|---|---|")
    shapes = model.model_json_schema()["properties"]
    required = {n for n, field in model.model_fields.items() if field.is_required()}
    for name, shape in shapes.items():
        if name == "name" and "const" in shape:  # stands in the title
            continue
        value = _value(shape) + ("; required" if name in required else _default(shape))
        if model is Recipe and name in ("task", "data"):
            value = _value(shape) + "; required without `tasks`"
        cells = (
            f"`{key}.{name}`".replace("`.", "`"),
            value,
            " ".join(_sentence(model, name).split()),
        )
        yield "| " + " | ".join(c.replace("|", "\\|").replace("``", "`") for c in cells) + " |"
    if not key or model is Part:  # the keys of a part are those of the top, told there
        return
    for name, field in model.model_fields.items():
        for below in _models(field.annotation):
            own = f"{key}.{name}.NAME" if by_name(field.annotation) else f"{key}.{name}"
            yield from _section(below, own, f"### `{own}`")


def _sentence(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].description or ""


BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true, false",
    "object": "mapping",
}


def _value(shape: Mapping[str, Any]) -> str:
    """What may stand there, in a few words, from the JSON schema."""
    if "anyOf" in shape or "oneOf" in shape:
        kinds = shape.get("anyOf") or shape["oneOf"]
        return " or ".join(_value(s) for s in kinds if s.get("type") != "null")
    if "enum" in shape:
        return ", ".join(f"`{v}`" for v in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    if "$ref" in shape or "allOf" in shape or "discriminator" in shape:
        return "keys below"
    if shape.get("type") == "array":
        return "list"
    if shape.get("type") == "object":
        return "names, with keys below"
    bounds = [f"{sign} {_figure(shape[word])}" for word, sign in BOUNDS.items() if word in shape]
    return " ".join([WORDS[str(shape["type"])], *bounds])


def _default(shape: Mapping[str, Any]) -> str:
    value = shape.get("default")
    if value is None:
        return "; derived"
    if isinstance(value, dict):
        return f"; `{value['name']}`" if set(value) == {"name"} else ""
    if isinstance(value, bool):
        return f"; `{str(value).lower()}`"
    return f"; `{_figure(value)}`"


def _figure(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation holds."""
    if isinstance(annotation, type):
        return [annotation] if issubclass(annotation, BaseModel) else []
    return [model for part in get_args(annotation) for model in _models(part)]


def cli_page() -> str:
    """The help of every verb."""
    lines = ["# The command line", "", "```text", overview().rstrip(), "```"]
    for verbs in VERBS.values():
        for name in verbs:
            lines += ["", f"## afina {name}", "", "```text", help_text(name).rstrip(), "```"]
    lines += [
        "",
        "## Exit codes",
        "",
        "| code | meaning |",
        "|---|---|",
        "| 0 | done |",
        "| 1 | done, and the gate says no: the model is shown not to be good enough, or a stated "
        "goal is not proven |",
        "| 2 | the request is wrong: a file, a recipe or an argument |",
        "| 3 | the environment failed: disk, memory, a model that cannot be had; or our fault |",
        "| 130 | interrupted; `afina train --resume last` goes on |",
        "| 141 | the reader of the output went away |",
    ]
    return GENERATED + "\n".join(lines) + "\n"


def tested_versions() -> str:
    """The pins of the packages that ``afina doctor`` looks at."""
    from afina.cli.examine import OPTIONAL, required_names

    pins = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition("==")
        if equals:
            pins[name.lower().replace("_", "-")] = version
    wanted = sorted({*required_names(_dependencies()), *OPTIONAL} & pins.keys())
    return json.dumps({name: pins[name] for name in wanted}, indent=1) + "\n"


def _dependencies() -> list[str]:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    return list(tomllib.loads(text)["project"]["dependencies"])


def pages() -> dict[Path, str]:
    """What each generated file should hold."""
    return {
        ROOT / "docs" / "recipe.md": recipe_page(),
        ROOT / "docs" / "cli.md": cli_page(),
        ROOT / "afina" / "cli" / "tested.json": tested_versions(),
    }


def main() -> int:
    stale = []
    for path, text in pages().items():
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if "--check" not in sys.argv:
            path.write_text(text, encoding="utf-8")
    print("\n".join(f"written: {p}" for p in stale) or "all current")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
