"""Strict YAML: the safe loader without the surprises of YAML 1.1, within limits.

``no`` is a word, ``2e-4`` a number, a key given twice an error; size, depth and aliases are bounded.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from afina.errors import RecipeError

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
