"""From YAML to a Recipe and back: strict reading, overrides, explanation, JSON schema.

YAML is read with the safe loader, without the surprises of YAML 1.1 (``no`` is a word, ``2e-4`` a
number), with an error for a key given twice, and with limits on size, depth and anchors.
"""

from __future__ import annotations

import json
import os
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from afina.errors import RecipeError, nearest
from afina.recipe.knobs import Recipe

MAX_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 100_000


class _Loader(yaml.SafeLoader):
    """Safe YAML with strict scalars and no key given twice."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|false|True|False|TRUE|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", "-+0123456789"),
    ("float", r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("float", r"^[-+]?\.(?:inf|nan|Inf|NaN|INF|NAN)$", "-+."),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), [c if c != "\0" else "" for c in _first]
    )


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is not a word", key_node.start_mark
            )
        if key in result:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key} stands twice", key_node.start_mark
            )
        result[key] = loader.construct_object(value_node, deep=True)
    return result


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def load_recipe(
    path: str | Path, overrides: Sequence[str] = (), *, home: Path | None = None
) -> Recipe:
    """Read a recipe file, apply ``key.path=value`` overrides, check every knob.

    Paths in ``data`` are taken from the recipe's own folder. ``${NAME}`` is replaced from the
    environment; ``${AFINA_HOME}`` is always known. Raises RecipeError.
    """
    file = Path(path)
    text = _read(file)
    tree = parse_yaml(text, str(file))
    return parse_recipe(tree, overrides, where=str(file), folder=file.parent, home=home)


def parse_recipe(
    tree: Any,
    overrides: Sequence[str] = (),
    *,
    where: str = "recipe",
    folder: Path | None = None,
    home: Path | None = None,
) -> Recipe:
    """Check a recipe given as plain values (see ``load_recipe``)."""
    if not isinstance(tree, dict):
        raise RecipeError(
            "a recipe is a mapping of keys to values",
            where=where,
            do="begin with task:, base: and data: (afina new writes one)",
        )
    tree = _foreign(tree, where)
    for override in overrides:
        tree = _override(tree, override)
    tree = _expand(tree, where, home)
    try:
        # As JSON, strictly: a list may fill a tuple, but the words "on" and "1_000" are no values.
        recipe = Recipe.model_validate_json(json.dumps(tree), strict=True)
    except ValidationError as error:
        raise _recipe_error(error, where) from None
    return _absolute_paths(recipe, folder) if folder is not None else recipe


def parse_yaml(text: str, where: str) -> Any:
    """Safe, strict YAML within limits. Raises RecipeError with line and column."""
    try:
        _check_limits(text, where)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{where}: line {mark.line + 1}, column {mark.column + 1}" if mark else where
        line = ""
        if mark is not None:
            lines = text.splitlines()
            line = lines[mark.line].strip() if mark.line < len(lines) else ""
        what = str(getattr(error, "problem", None) or error)
        if "\\t" in what or "'\\t'" in what:
            what = "a tab cannot indent YAML"
        problems = (f"in: {line[:120]}",) if line else ()
        raise RecipeError(
            f"not valid YAML: {what}", where=place, problems=problems, do="mend that line"
        ) from None
    except RecursionError:
        raise RecipeError("nested too deep", where=where, do="a recipe has few levels") from None


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that reads back equal."""
    return yaml.safe_dump(
        recipe.model_dump(mode="json", exclude_none=False), sort_keys=False, allow_unicode=True
    )


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


# ---------------------------------------------------------------------------- reading


def _read(file: Path) -> str:
    if not file.exists():
        siblings = [p.name for p in file.parent.glob("*.y*ml")] if file.parent.is_dir() else []
        do = nearest(file.name, siblings) if siblings else "afina new writes a recipe"
        raise RecipeError("no such file", where=str(file), do=do)
    if not file.is_file():
        raise RecipeError("not a file", where=str(file), do="name the recipe's YAML file")
    try:
        size = file.stat().st_size
        if size > MAX_BYTES:
            raise RecipeError(
                f"{size:,} bytes are too many for a recipe",
                where=str(file),
                do=f"keep it under {MAX_BYTES:,} bytes; examples belong in data files",
            )
        raw = file.read_bytes()
    except OSError as error:
        raise RecipeError(f"cannot be read: {error.strerror}", where=str(file)) from None
    if b"\0" in raw:
        raise RecipeError("not a text file", where=str(file), do="a recipe is YAML in UTF-8")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RecipeError(
            f"byte {error.start} is not UTF-8", where=str(file), do="save it as UTF-8"
        ) from None
    if not text.strip():
        raise RecipeError("the recipe is empty", where=str(file), do="afina new writes one")
    return text


def _check_limits(text: str, where: str) -> None:
    depth = aliases = 0
    for nodes, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader), 1):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH:
            raise RecipeError("nested too deep", where=where, do=f"at most {MAX_DEPTH} levels")
        if aliases > 10:
            raise RecipeError("too many YAML aliases", where=where, do="write the values out")
        if nodes > MAX_NODES:
            raise RecipeError("too many values", where=where, do="examples belong in data files")


def _override(tree: dict[str, Any], override: str) -> dict[str, Any]:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(
            f"{override!r} is not of the form key.path=value",
            where="-s",
            do="for example -s train.epochs=5",
        )
    value = parse_yaml(text, f"-s {key}")
    parts = key.strip().split(".")
    copy = dict(tree)
    here = copy
    for part in parts[:-1]:
        below = here.get(part)
        if isinstance(below, str) and part in ("task", "method", "objective"):
            below = {"name": below}
        below = dict(below) if isinstance(below, Mapping) else {}
        here[part] = below
        here = below
    here[parts[-1]] = value
    return copy


_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _expand(value: Any, where: str, home: Path | None) -> Any:
    if isinstance(value, dict):
        return {k: _expand(v, where, home) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, where, home) for v in value]
    if not isinstance(value, str):
        return value

    def replace(match: re.Match[str]) -> str:
        name = match.group(1)
        if name == "AFINA_HOME" and home is not None:
            return str(home.resolve())
        if name not in os.environ:
            raise RecipeError(
                f"the environment variable {name} is not set",
                where=where,
                do=f"export {name}=…, or write the value into the recipe",
            )
        return os.environ[name]

    return _PLACEHOLDER.sub(replace, value)


def _absolute_paths(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(path: str | None) -> str | None:
        if path is None or Path(path).is_absolute():
            return path
        beside = folder / path
        if beside.exists() or any(c in path for c in "*?[") or "." in Path(path).name:
            return str(beside.resolve())
        return path  # a Hugging Face data set, as far as anyone can tell from the name

    data = recipe.data
    train = data.train
    update: dict[str, Any] = {
        "train": tuple(str(absolute(p)) for p in train)
        if isinstance(train, tuple)
        else absolute(train),
        "validation": absolute(data.validation),
        "test": absolute(data.test),
    }
    update = {"data": data.model_copy(update=update)}
    base = folder / recipe.base
    if not Path(recipe.base).is_absolute() and (
        base.exists() or recipe.base.startswith(".") or recipe.base.endswith(".gguf")
    ):
        update["base"] = str(base.resolve())
    return recipe.model_copy(update=update)


# ---------------------------------------------------------------------------- errors

_FOREIGN = {
    "Axolotl": {"base_model", "micro_batch_size", "sequence_len", "datasets", "adapter"},
    "LLaMA-Factory": {"model_name_or_path", "finetuning_type", "cutoff_len", "stage", "template"},
}


def _foreign(tree: dict[str, Any], where: str) -> dict[str, Any]:
    for tool, marks in _FOREIGN.items():
        found = marks & tree.keys()
        if len(found) >= 2 and "base" not in tree:
            raise RecipeError(
                f"this looks like a configuration of {tool} ({', '.join(sorted(found))})",
                where=where,
                do="write it as a recipe: afina new shows the shape",
            )
    return tree


def _recipe_error(error: ValidationError, where: str) -> RecipeError:
    found = [_one_problem(problem) for problem in error.errors()]
    key, what, do = found[0]
    problems = [f"{k}: {w}" + (f" ({d})" if d else "") for k, w, d in found[1:20]]
    return RecipeError(what, where=f"{where}: {key}" if key else where, do=do, problems=problems)


def _one_problem(problem: Any) -> tuple[str, str, str]:
    kind = problem["type"]
    path = _key_path(problem["loc"])
    message = str(problem["msg"])
    given = problem.get("input")
    if kind == "extra_forbidden":
        *parents, last = path.split(".")
        parent = ".".join(parents)
        siblings = [row[0].rsplit(".", 1)[-1] for row in _children(parent, problem["loc"])]
        return path, f"unknown key {last}", nearest(last, siblings)
    if kind == "missing":
        return path, "is missing", f"add {path.rsplit('.', 1)[-1]}: to the recipe"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        kinds = {"task": "TASKS", "method": "METHODS", "objective": "OBJECTIVES"}
        if path in kinds:
            names = _names(path)
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
            "there are: " + ", ".join(_names("objective")),
        )
    shown = repr(given)
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    message = message.removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    remedy = f"afina explain {path} says what it takes" if path else "afina explain lists all keys"
    return path, f"{shown}: {message}" if not isinstance(given, Mapping) else message, remedy


def _names(part: str) -> list[str]:
    from afina.methods import METHODS
    from afina.objectives import OBJECTIVES
    from afina.tasks import TASKS

    kinds: Iterable[type[BaseModel]] = {
        "task": TASKS,
        "method": METHODS,
        "objective": OBJECTIVES,
    }[part]
    return [str(kind.model_fields["name"].default) for kind in kinds]


def _key_path(location: Sequence[str | int]) -> str:
    """``('method', 'lora', 'rank')`` to ``method.rank``: the name of the choice is no key."""
    parts = [str(part) for part in location]
    if (
        len(parts) > 1
        and parts[0] in ("task", "method", "objective")
        and parts[1] in _names(parts[0])
    ):
        del parts[1]
    return ".".join(p for p in parts if not p.startswith("function-") and "[" not in p)


def _children(parent: str, location: Sequence[str | int]) -> list[tuple[str, str, str]]:
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
        for child in kinds:
            rows += _walk(child, key + ".", only)
    seen: set[tuple[str, str]] = set()
    return [r for r in rows if not ((r[0], r[2]) in seen or seen.add((r[0], r[2])))]  # type: ignore[func-returns-value]


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
