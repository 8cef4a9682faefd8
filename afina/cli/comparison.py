"""Two runs side by side: what was asked differently, and how far their scores are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afina.cli.listing import facts_of, tuned_scores

if TYPE_CHECKING:
    from afina.store import Run

COSTS = ("seconds", "steps", "tokens", "peak_memory_bytes", "trainable_parameters")


def difference(first: Run, second: Run) -> dict[str, Any]:
    """The differences of two runs; scores only where both have them.

    ``same_test``: whether both were measured on the same sealed rows; only then do the differences
    say something about the models.
    """
    one, other = facts_of(first), facts_of(second)
    flat = [_flat(facts["recipe"]) for facts in (one, other)]
    keys = list(dict.fromkeys([*flat[0], *flat[1]]))
    reports = [facts["report"] or {} for facts in (one, other)]
    tests = [(report.get("test") or {}).get("sha256") for report in reports]
    return {
        "runs": [first.id, second.id],
        "recipe": {
            key: [flat[0].get(key), flat[1].get(key)]
            for key in keys
            if flat[0].get(key) != flat[1].get(key)
        },
        "same_test": None if None in tests else tests[0] == tests[1],
        "scores": _scores(*(tuned_scores(report) for report in reports)),
        "verdicts": [report.get("verdict") for report in reports],
        "train": {
            key: [(facts["train"] or {}).get(key) for facts in (one, other)] for key in COSTS
        },
    }


def _scores(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        metric: {
            "first": first[metric],
            "second": second[metric],
            "difference": between(first[metric], second[metric]),
        }
        for metric in first
        if metric in second
    }


def between(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """How much higher the second score is, with an interval made from those of the two.

    The square-and-add rule (Zou and Donner 2008, Statistics in Medicine 27:1693). It takes the two
    for independent; on the same rows they go up and down together, so the true interval is
    narrower: an interval here that leaves out 0 shows a difference.
    """
    value = second["value"] - first["value"]
    if None in (first["low"], first["high"], second["low"], second["high"]):
        return {"value": value, "low": None, "high": None}
    low = math.hypot(second["value"] - second["low"], first["high"] - first["value"])
    high = math.hypot(second["high"] - second["value"], first["value"] - first["low"])
    return {"value": value, "low": value - low, "high": value + high}


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """``{"train": {"epochs": 3}}`` as ``{"train.epochs": 3}``."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, below in value.items():
            found |= _flat(below, f"{key}.{name}" if key else str(name))
        return found
    return {key: value}
