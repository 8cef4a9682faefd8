"""What fits a schema, what does not, and which schemas are refused."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afina.tasks.json_schema import Schema, SchemaError

ORDER = {
    "type": "object",
    "properties": {
        "intent": {"type": "string", "enum": ["luz", "puerta"]},
        "count": {"type": "integer", "minimum": 1},
        "where": {"$ref": "#/$defs/place"},
    },
    "required": ["intent", "where"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": ["object", "null"],
            "properties": {"in": {"$ref": "#/$defs/place"}, "name": {"type": "string"}},
        }
    },
}


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ({"intent": "luz", "where": None}, None),
        ({"intent": "luz", "count": 2.0, "where": {"in": {"in": None, "name": "a"}}}, None),
        ({"intent": "gas", "where": None}, '$.intent: must be one of ["luz", "puerta"]'),
        ({"intent": "luz"}, "$: the key 'where' is missing"),
        ({"intent": "luz", "where": None, "x": 1}, "$: the key 'x' is not allowed"),
        ({"intent": "luz", "where": None, "count": 0}, "$.count: must be at least 1"),
        ({"intent": "luz", "where": None, "count": True}, "$.count: must be integer"),
        ({"intent": "luz", "where": {"in": {"name": 1}}}, "$.where.in.name: must be string"),
        ([], "$: must be object"),
    ],
)
def test_an_object_with_references(value: Any, problem: str | None) -> None:
    assert Schema(ORDER).problem(value) == problem


FITS: list[tuple[dict[str, Any], list[Any], list[Any]]] = [
    ({}, [1, None, "a", []], []),
    ({"type": "number"}, [1, 1.5], [True, "1"]),
    ({"type": ["string", "null"]}, ["", None], [0]),
    ({"const": 1}, [1, 1.0], [True, "1", 2]),
    ({"enum": [[1, {"a": None}]]}, [[1, {"a": None}]], [[1], [1, {"a": 0}], [True, {"a": None}]]),
    ({"maximum": 2, "exclusiveMinimum": 0}, [2, 0.1, "x"], [0, 2.1]),
    ({"exclusiveMaximum": 2}, [1.9], [2]),
    ({"multipleOf": 0.1}, [0.3, 7, 10**30], [0.35]),
    ({"minLength": 2, "maxLength": 3}, ["ñú", 5], ["a", "aaaa"]),
    ({"pattern": "^a+$"}, ["aa", 5], ["ab", ""]),
    ({"pattern": "b"}, ["abc"], ["ac"]),
    ({"minItems": 1, "maxItems": 2}, [[1], "x"], [[], [1, 2, 3]]),
    ({"uniqueItems": True}, [[1, "1", True], [{"a": 1}, {"a": 2}]], [[1, 1.0], [{"a": 1}, {"a": 1}]]),
    ({"minProperties": 1, "maxProperties": 1}, [{"a": 1}], [{}, {"a": 1, "b": 1}]),
    ({"items": {"type": "integer"}}, [[], [1]], [[1, "a"]]),
    ({"prefixItems": [{"type": "string"}], "items": False}, [["a"], []], [[1], ["a", 1]]),
    ({"additionalProperties": {"type": "integer"}}, [{"a": 1}], [{"a": "b"}]),
    ({"patternProperties": {"^x": {"type": "integer"}}, "additionalProperties": False},
     [{"x1": 1}], [{"x1": "a"}, {"y": 1}]),
    ({"propertyNames": {"maxLength": 2}}, [{"ab": 1}], [{"abc": 1}]),
    ({"anyOf": [{"type": "string"}, {"minimum": 5}]}, ["a", 7], [3]),
    ({"oneOf": [{"type": "integer"}, {"minimum": 5}]}, [3, 5.5], [7]),
    ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, [5], [3, 5.5]),
    ({"not": {"type": "null"}}, [1], [None]),
    ({"properties": {"a": True, "b": False}}, [{"a": 1}, {}], [{"b": 1}]),
    ({"type": "string", "format": "email", "title": "t", "default": 1}, ["no mail"], [1]),
    ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "null"}}}, [None], [1]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "fits", "fails"), FITS)
def test_keywords(schema: dict[str, Any], fits: list[Any], fails: list[Any]) -> None:
    read = Schema(schema)
    assert [read.problem(value) for value in fits] == [None] * len(fits)
    assert all(read.problem(value) is not None for value in fails)


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"contains": {}}, "#/contains: this keyword is not supported"),
        ({"properties": {"a": {"if": {}}}}, "#/properties/a/if: this keyword is not supported"),
        ({"properties": []}, "#/properties: must be an object of schemas"),
        ({"anyOf": []}, "#/anyOf: must be a list of schemas"),
        ({"items": [1]}, "#/items: a schema is an object, true or false"),
        ({"type": "text"}, "#/type: must be one of object"),
        ({"type": []}, "#/type"),
        ({"minimum": "1"}, "#/minimum: must be a number"),
        ({"multipleOf": 0}, "#/multipleOf: must be a number"),
        ({"minItems": -1}, "#/minItems: must be a size"),
        ({"maxLength": 1.5}, "#/maxLength: must be a size"),
        ({"required": "a"}, "#/required: must be a list of keys"),
        ({"enum": []}, "#/enum: must be a list of values"),
        ({"uniqueItems": 1}, "#/uniqueItems: must be true or false"),
        ({"pattern": "(a"}, "is not a regular expression"),
        ({"pattern": r"(a)\1"}, "is not a regular expression"),
        ({"patternProperties": {"(?<=a)": {}}}, "is not a regular expression"),
        ({"$ref": "https://example.org/s.json"}, "#/$ref: must be within this schema"),
        ({"$ref": "#/$defs/x"}, "leads nowhere"),
    ],
)
def test_schemas_that_could_not_be_checked_whole_are_refused(
    schema: dict[str, Any], words: str
) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema(schema)
    assert words in str(caught.value)


def test_a_reference_to_itself_ends() -> None:
    with pytest.raises(SchemaError, match="without an end"):
        Schema({"$ref": "#"}).problem(1)


def test_branches_within_branches_end_soon() -> None:
    levels = {f"l{i}": {"anyOf": [{"$ref": f"#/$defs/l{i + 1}"}] * 2} for i in range(40)}
    schema = Schema({"$ref": "#/$defs/l0", "$defs": {**levels, "l40": {"type": "null"}}})
    began = time.monotonic()
    with pytest.raises(SchemaError, match="without an end"):
        schema.problem(1)
    assert time.monotonic() - began < 5


def test_a_pattern_takes_no_time_however_it_is_written() -> None:
    began = time.monotonic()
    assert Schema({"pattern": "^(a+)+$"}).problem("a" * 50_000 + "b") is not None
    assert time.monotonic() - began < 2


def test_a_value_of_great_depth_is_said_to_be_one() -> None:
    value: Any = 0
    for _ in range(80):
        value = [value]
    schema = {"$ref": "#/$defs/l", "$defs": {"l": {"items": {"$ref": "#/$defs/l"}}}}
    problem = Schema(schema).problem(value)
    assert problem is not None
    assert "more than 64 deep" in problem


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(JSON, JSON)
def test_a_constant_fits_itself_and_its_opposite_does_not(value: Any, other: Any) -> None:
    fits = Schema({"const": value}).problem(other) is None
    assert Schema({"const": value}).problem(value) is None
    assert (Schema({"not": {"const": value}}).problem(other) is None) is not fits
    assert (Schema({"uniqueItems": True}).problem([value, other]) is None) is not fits
