"""Checks a JSON value against a JSON Schema: the keywords that answers of models are asked with.

Covers the validation keywords of draft 2020-12 but for ``unevaluated*``, ``dependent*``, ``if``,
``contains`` and references to other documents; a schema that uses one of these is refused, because
a check that leaves something out would be no check. Patterns run on an engine without backtracking,
so no pattern takes long.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sized
from fractions import Fraction
from typing import Any, cast

from afina.types.patterns import compiled, found

MAX_DEPTH = 64
"""Of a value, and of references that lead on without consuming any of it."""
MAX_STEPS = 100_000
"""Of one check: a small schema of branches within branches can ask for more than a lifetime."""

_NOTES = frozenset(
    {"$schema", "$id", "$defs", "$comment", "definitions", "title", "description", "default"}
    | {"examples", "format", "deprecated", "readOnly", "writeOnly", "discriminator"}
)
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: _is_number(v),
    "integer": lambda v: _is_whole(v),
}
_NUMBERS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "minimum": (lambda v, b: v >= b, "must be at least"),
    "maximum": (lambda v, b: v <= b, "must be at most"),
    "exclusiveMinimum": (lambda v, b: v > b, "must be above"),
    "exclusiveMaximum": (lambda v, b: v < b, "must be below"),
    "multipleOf": (
        lambda v, b: Fraction(str(v)) % Fraction(str(b)) == 0,
        "must be a multiple of",
    ),
}
_SIZES: dict[str, tuple[type, bool, str]] = {
    "minLength": (str, True, "characters"),
    "maxLength": (str, False, "characters"),
    "minItems": (list, True, "items"),
    "maxItems": (list, False, "items"),
    "minProperties": (dict, True, "keys"),
    "maxProperties": (dict, False, "keys"),
}
_MAPS = ("properties", "$defs", "definitions", "patternProperties")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SCHEMAS = ("items", "additionalProperties", "not", "propertyNames")
_OTHERS = frozenset({"type", "enum", "const", "required", "uniqueItems", "pattern", "$ref"})
_KNOWN = _NOTES | _OTHERS | {*_NUMBERS, *_SIZES, *_MAPS, *_LISTS, *_SCHEMAS}


class SchemaError(ValueError):
    """The schema itself cannot be used; the message says where and why."""


class Schema:
    """A schema that was read. Raises SchemaError if it is wrong or asks for what is not known."""

    def __init__(self, root: Mapping[str, Any]) -> None:
        self.root = root
        self._read(root, "#")

    def problem(self, value: Any) -> str | None:
        """The first thing wrong with the value, with its place; None if it fits."""
        return next(_Check(self._target).problems(value, self.root, "$", 0, 0), None)

    # ------------------------------------------------------------------ reading the schema

    def _read(self, schema: Any, at: str) -> None:
        if isinstance(schema, bool):
            return
        if not isinstance(schema, Mapping):
            raise SchemaError(f"{at}: a schema is an object, true or false")
        for key, value in schema.items():
            here = f"{at}/{key}"
            if key not in _KNOWN:
                raise SchemaError(f"{here}: this keyword is not supported")
            self._read_keyword(key, value, here)

    def _read_keyword(self, key: str, value: Any, here: str) -> None:
        if key in _MAPS:
            _expect(isinstance(value, Mapping), here, "an object of schemas")
            for name, inner in value.items():
                if key == "patternProperties":
                    _check_pattern(name, here)
                self._read(inner, f"{here}/{name}")
        elif key in _LISTS:
            _expect(isinstance(value, list) and value, here, "a list of schemas")
            for index, inner in enumerate(value):
                self._read(inner, f"{here}/{index}")
        elif key in _SCHEMAS:
            self._read(value, here)
        elif key in _NUMBERS:
            _expect(_is_number(value) and (key != "multipleOf" or value > 0), here, "a number")
        elif key in _SIZES:
            _expect(_is_whole(value) and value >= 0, here, "a size")
        elif key == "type":
            names = value if isinstance(value, list) else [value]
            fine = names != [] and all(isinstance(n, str) and n in _TYPES for n in names)
            _expect(fine, here, "one of " + ", ".join(_TYPES))
        elif key == "required":
            fine = isinstance(value, list) and all(isinstance(n, str) for n in value)
            _expect(fine, here, "a list of keys")
        elif key == "enum":
            _expect(isinstance(value, list) and value, here, "a list of values")
        elif key == "uniqueItems":
            _expect(isinstance(value, bool), here, "true or false")
        elif key == "pattern":
            _expect(isinstance(value, str), here, "a regular expression")
            _check_pattern(value, here)
        elif key == "$ref":
            self._target(value, here)

    def _target(self, reference: Any, here: str) -> Any:
        _expect(
            isinstance(reference, str) and reference.startswith("#"), here, "within this schema"
        )
        at: Any = self.root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(at, list) and name.isdecimal() and int(name) < len(at):
                at = at[int(name)]
            elif isinstance(at, Mapping) and name in at:
                at = at[name]
            else:
                raise SchemaError(f"{here}: {reference} leads nowhere")
        return at


class _Check:
    """One check of one value."""

    def __init__(self, target: Callable[[Any, str], Any]) -> None:
        self._target = target
        self._steps = 0

    def problems(
        self, value: Any, schema: Any, at: str, depth: int, references: int
    ) -> Iterator[str]:
        """Everything wrong with the value, found one by one as it is asked for."""
        self._steps += 1
        if self._steps > MAX_STEPS or references > MAX_DEPTH:
            raise SchemaError("#: the schema's branches and references lead on without an end")
        if schema is True:
            return
        if schema is False:
            yield f"{at}: nothing is allowed here"
            return
        if depth > MAX_DEPTH:
            yield f"{at[:80]}…: nested more than {MAX_DEPTH} deep"
            return
        yield from self._plain(value, schema, at)
        yield from self._sizes(value, schema, at)
        yield from self._branches(value, schema, at, depth, references + 1)
        if isinstance(value, dict):
            yield from self._object(value, schema, at, depth + 1)
        elif isinstance(value, list):
            yield from self._array(value, schema, at, depth + 1)

    def _plain(self, value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
        if "type" in schema:
            names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            if not any(_TYPES[name](value) for name in names):
                yield f"{at}: must be {' or '.join(names)}"
        if "enum" in schema and not any(_equal(value, known) for known in schema["enum"]):
            yield f"{at}: must be one of {_short(schema['enum'])}"
        if "const" in schema and not _equal(value, schema["const"]):
            yield f"{at}: must be {_short(schema['const'])}"
        pattern = schema.get("pattern")
        if pattern is not None and isinstance(value, str) and not found(pattern, value):
            yield f"{at}: must match {pattern}"

    def _sizes(self, value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
        for key, (fits, words) in _NUMBERS.items():
            if key in schema and _is_number(value) and not fits(value, schema[key]):
                yield f"{at}: {words} {schema[key]}"
        for key, (kind, least, unit) in _SIZES.items():
            if key not in schema or not isinstance(value, kind):
                continue
            size = len(cast(Sized, value))
            if (size < schema[key]) if least else (size > schema[key]):
                yield f"{at}: must have at {'least' if least else 'most'} {schema[key]} {unit}"

    def _branches(
        self, value: Any, schema: Mapping[str, Any], at: str, depth: int, references: int
    ) -> Iterator[str]:
        def fits(inner: Any) -> bool:
            return next(self.problems(value, inner, at, depth, references), None) is None

        if "$ref" in schema:
            target = self._target(schema["$ref"], "$ref")
            yield from self.problems(value, target, at, depth, references)
        for inner in schema.get("allOf", ()):
            yield from self.problems(value, inner, at, depth, references)
        if "anyOf" in schema and not any(fits(inner) for inner in schema["anyOf"]):
            yield f"{at}: fits none of the {len(schema['anyOf'])} possible forms"
        if "oneOf" in schema and sum(fits(inner) for inner in schema["oneOf"]) != 1:
            yield f"{at}: must fit exactly one of {len(schema['oneOf'])} forms"
        if "not" in schema and fits(schema["not"]):
            yield f"{at}: has a form that is not allowed"

    def _object(
        self, value: dict[str, Any], schema: Mapping[str, Any], at: str, depth: int
    ) -> Iterator[str]:
        known = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        for key in schema.get("required", ()):
            if key not in value:
                yield f"{at}: the key {key!r} is missing"
        for key, inner in value.items():
            if "propertyNames" in schema:
                yield from self.problems(key, schema["propertyNames"], f"{at} (key)", depth, 0)
            rules = [known[key]] if key in known else []
            rules += [rule for pattern, rule in patterns.items() if found(pattern, key)]
            if not rules and schema.get("additionalProperties", True) is False:
                yield f"{at}: the key {key!r} is not allowed"
                continue
            for rule in rules or [schema.get("additionalProperties", True)]:
                yield from self.problems(inner, rule, f"{at}.{key}", depth, 0)

    def _array(
        self, value: list[Any], schema: Mapping[str, Any], at: str, depth: int
    ) -> Iterator[str]:
        first = schema.get("prefixItems", [])
        for index, inner in enumerate(value):
            rule = first[index] if index < len(first) else schema.get("items", True)
            yield from self.problems(inner, rule, f"{at}[{index}]", depth, 0)
        if schema.get("uniqueItems") and len({_canonical(item) for item in value}) != len(value):
            yield f"{at}: the items must differ"


def _short(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]


def _canonical(value: Any) -> str:
    """One text for values that are equal in JSON."""
    if _is_whole(value):
        return str(int(value))
    if isinstance(value, list):
        return f"[{','.join(map(_canonical, value))}]"
    if isinstance(value, dict):
        pairs = sorted((json.dumps(key), _canonical(inner)) for key, inner in value.items())
        return f"{{{','.join(f'{key}:{inner}' for key, inner in pairs)}}}"
    return json.dumps(value)


def _expect(fine: Any, here: str, what: str) -> None:
    if not fine:
        raise SchemaError(f"{here}: must be {what}")


def _check_pattern(pattern: str, here: str) -> None:
    try:
        compiled(pattern)
    except ValueError as error:
        raise SchemaError(f"{here}: {error}") from None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _equal(one: Any, other: Any) -> bool:
    """JSON's equality: 1 is 1.0, but it is not true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return bool(one == other)
