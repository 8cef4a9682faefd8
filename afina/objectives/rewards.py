"""Rewards that need no model: whether an answer is right, from 0 to 1."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any


def exact(answer: str, gold: str) -> float:
    """1 if both are the same text, outer spaces aside."""
    return float(answer.strip() == gold.strip())


def contains(answer: str, gold: str) -> float:
    """1 if the right answer stands somewhere in what was written."""
    return float(gold.strip() in answer)


def json_fields(answer: str, gold: str) -> float:
    """F1 of the fields of two JSON values; 0 for what is no JSON."""
    try:
        given, right = Counter(_fields(json.loads(answer))), Counter(_fields(json.loads(gold)))
    except (ValueError, RecursionError):
        return 0.0
    every = given.total() + right.total()
    return 2 * (given & right).total() / every if every else float(answer.strip() == gold.strip())


REWARDS: Mapping[str, Callable[[str, str], float]] = {
    "exact": exact,
    "contains": contains,
    "json_fields": json_fields,
}


def after_mark(text: str, mark: str) -> str:
    """What follows the last ``mark``; nothing where it is not there."""
    return text.rpartition(mark)[2] if mark in text else ""


def _fields(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _fields(inner, f"{path}/{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from _fields(inner, f"{path}/*")
    else:
        yield f"{path}={json.dumps(value)}"
