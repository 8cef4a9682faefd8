"""JSON schemas (draft 2020-12 unless the schema names another), checked before they are used.

References lead nowhere but into the schema itself, and patterns are matched in linear time: neither
the network nor a hostile pattern can hold an evaluation up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from afina.methods.patterns import compiled, matching

Check = Callable[[Any], str]
"""What is wrong with a value, in English; empty if nothing is."""


def against_schema(schema: Any) -> Check:
    """What checks values by a schema. Raises ValueError for what is no schema."""
    from jsonschema import SchemaError
    from jsonschema.validators import extend, validator_for
    from referencing import Registry

    if not isinstance(schema, dict):
        raise ValueError("a JSON schema is an object")
    kind = validator_for(schema)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        at = f" at {error.json_path}" if error.absolute_path else ""
        raise ValueError(f"no JSON schema{at}: {error.message[:200]}") from None
    for part in _parts(schema):
        if isinstance(part.get("pattern"), str):
            compiled(part["pattern"])
        if "patternProperties" in part:
            raise ValueError("patternProperties is not understood here")
    _resolve_all(schema)
    registry: Registry[Any] = Registry()
    strict: Any = extend(kind, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    validator = strict(schema, registry=registry)

    def check(value: Any) -> str:
        faults = sorted(validator.iter_errors(value), key=lambda e: e.json_path)
        return f"{faults[0].json_path}: {faults[0].message[:200]}" if faults else ""

    return check


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    if isinstance(schema, dict | list):
        for value in schema.values() if isinstance(schema, dict) else schema:
            yield from _parts(value)


def _resolve_all(schema: dict[str, Any]) -> None:
    """What does not resolve is told now and not at the first answer."""
    from referencing import Registry, Resource
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    resource = Resource.from_contents(schema, default_specification=DRAFT202012)
    name = resource.id() or ""
    empty: Registry[Any] = Registry()
    resolver = empty.with_resource(name, resource).resolver(name)
    for reference in (part.get("$ref") for part in _parts(schema)):
        try:
            if isinstance(reference, str):
                resolver.lookup(reference)
        except Unresolvable:
            raise ValueError(f"$ref {reference!r} leads to nothing within the schema") from None


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    from jsonschema import ValidationError

    if isinstance(value, str) and not matching(pattern, [value]):
        yield ValidationError(f"{json.dumps(value, ensure_ascii=False)} does not match {pattern!r}")
