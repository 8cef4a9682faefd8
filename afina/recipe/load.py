"""From a file to a Recipe and back: overrides, placeholders, paths, another tool's configuration."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from afina.errors import RecipeError, nearest
from afina.recipe.alternatives import Retrieval
from afina.recipe.explain import explain, json_schema
from afina.recipe.problems import recipe_error
from afina.recipe.recipe import Recipe
from afina.recipe.strict_yaml import MAX_BYTES, parse_yaml
from afina.tasks import Generate
from afina.tasks.json_schema import Schema

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_FOREIGN = {
    "Axolotl": {"base_model", "micro_batch_size", "sequence_len", "datasets", "adapter"},
    "LLaMA-Factory": {"model_name_or_path", "finetuning_type", "cutoff_len", "stage", "template"},
}


def load_recipe(
    path: str | Path,
    overrides: Sequence[str] = (),
    *,
    home: Path | None = None,
    several: bool = False,
) -> Recipe:
    """Read a recipe file, apply ``key.path=value`` overrides, check every knob.

    Paths in ``data`` are taken from the recipe's own folder. ``${NAME}`` is replaced from the
    environment; ``${AFINA_HOME}`` is always known. ``several``: whether the caller can work with
    several tasks. Raises RecipeError.
    """
    file = Path(path)
    text = _read(file)
    tree = parse_yaml(text, str(file))
    return parse_recipe(
        tree, overrides, where=str(file), folder=file.parent, home=home, several=several
    )


def parse_recipe(
    tree: Any,
    overrides: Sequence[str] = (),
    *,
    where: str = "recipe",
    folder: Path | None = None,
    home: Path | None = None,
    several: bool = False,
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
    for key in () if tree.get("tasks") else ("task", "data"):
        if tree.get(key) is None:
            raise RecipeError("is missing", where=f"{where}: {key}", do=f"add {key}: to the recipe")
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        raise recipe_error(error, where) from None
    _refuse_converted(tree, recipe.model_dump(), where)
    if recipe.tasks and not several:
        raise RecipeError(
            f"it has several tasks ({', '.join(recipe.tasks)}), and this works on one",
            where=f"{where}: tasks",
            do="afina check takes --task NAME; otherwise write a recipe of that task alone",
        )
    if folder is None:
        return recipe
    parts = {n: _with_schema(part, folder, where) for n, part in recipe.parts.items()}
    return _absolute_paths(recipe.with_parts(parts), folder)


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML that reads back equal."""
    return yaml.safe_dump(
        recipe.model_dump(mode="json", exclude_none=False), sort_keys=False, allow_unicode=True
    )


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


def _refuse_converted(given: Any, taken: Any, where: str, key: str = "") -> None:
    """Refuse values that were made to fit: ``on`` for true, ``"1_000"`` for 1000, 1 for true."""
    if isinstance(given, Mapping) and isinstance(taken, Mapping):
        for name in given:
            _refuse_converted(given[name], taken.get(name), where, f"{key}.{name}" if key else name)
        return
    is_word = isinstance(given, str) and isinstance(taken, bool | int | float)
    other_kind = isinstance(given, bool) != isinstance(taken, bool) and taken is not None
    if is_word or other_kind:
        kind = "true or false" if isinstance(taken, bool) else "a number"
        raise RecipeError(
            f"{given!r} is not {kind}",
            where=f"{where}: {key}",
            do=f"write {str(taken).lower() if isinstance(taken, bool) else taken}",
        )


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

    def each(paths: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if isinstance(paths, tuple):
            return tuple(str(absolute(path)) for path in paths)
        return absolute(paths)

    def beside(view: Recipe) -> Recipe:
        data = view.data
        found: dict[str, Any] = {
            "train": each(data.train),
            "benchmark": each(data.benchmark),
            "validation": absolute(data.validation),
            "test": absolute(data.test),
        }
        if data.augment is not None and data.augment.model is not None:
            model = _base_beside(data.augment.model, folder)
            found["augment"] = data.augment.model_copy(update={"model": model})
        if data.names is not None:
            found["names"] = str((folder / data.names).resolve())
        changed: dict[str, Any] = {"data": data.model_copy(update=found)}
        if view.evaluate.tests is not None:
            tests = str((folder / view.evaluate.tests).resolve())
            changed["evaluate"] = view.evaluate.model_copy(update={"tests": tests})
        return view.model_copy(update=changed)

    recipe = recipe.with_parts({name: beside(view) for name, view in recipe.parts.items()})
    update: dict[str, Any] = {}
    if recipe.retrieval is not None:
        update["retrieval"] = _beside(recipe.retrieval, folder)
    update["base"] = _base_beside(recipe.base, folder)
    return recipe.model_copy(update=update)


def _with_schema(recipe: Recipe, folder: Path, where: str) -> Recipe:
    """The recipe with the JSON Schema of its answers in it, not in a file of its own."""
    task = recipe.task
    if not isinstance(task, Generate) or not isinstance(task.json_schema, str):
        return recipe
    file = folder / task.json_schema
    try:
        schema = json.loads(_read(file))
        Schema(schema)
    except ValueError as error:
        raise RecipeError(
            f"no JSON Schema: {error}", where=str(file), do=f"mend it ({where}: task.json_schema)"
        ) from None
    return recipe.model_copy(update={"task": task.model_copy(update={"json_schema": schema})})


def _beside(retrieval: Retrieval, folder: Path) -> Retrieval:
    """The documents and the embedder as absolute paths, from the recipe's own folder."""
    given = retrieval.documents
    sources = [given] if isinstance(given, str) else list(given)
    found = tuple(str((folder / Path(p).expanduser()).absolute()) for p in sources)
    update: dict[str, Any] = {"documents": found[0] if isinstance(given, str) else found}
    if retrieval.embedder is not None:
        update["embedder"] = _base_beside(retrieval.embedder, folder)
    return retrieval.model_copy(update=update)


def _base_beside(name: str, folder: Path) -> str:
    """A base that lies beside the recipe by its absolute path; any other by its name."""
    if Path(name).is_absolute():
        return name
    beside = folder / name
    if beside.exists() or name.startswith(".") or name.endswith(".gguf"):
        return str(beside.resolve())
    return name


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


__all__ = ["dump_recipe", "explain", "json_schema", "load_recipe", "parse_recipe", "parse_yaml"]
