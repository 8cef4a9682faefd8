"""What a decision, a sweep or a cross-validation is about: the parts of a recipe that it depends on."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from afina.recipe.recipe import Recipe

DECIDED = ("task", "base", "data", "objective", "goal", "retrieval")
"""How it is trained, measured and served may change; a decision still stands."""
SEARCHED = (*DECIDED, "method", "train")
"""How it is measured in the end and served may change, and how long is searched."""


def fingerprint(recipe: Recipe) -> str:
    """SHA-256 over what a decision is about, as hexadecimal digits."""
    return _digest(recipe.model_dump(mode="json", include=set(DECIDED)))


def sweep_fingerprint(recipe: Recipe) -> str:
    """The same over what a sweep searches; without how many trials and minutes it may take."""
    value = recipe.model_dump(mode="json", include=set(SEARCHED))
    value["sweep"] = recipe.sweep.model_dump(mode="json", exclude={"trials", "minutes"})
    return _digest(value)


def folds_fingerprint(recipe: Recipe, count: int) -> str:
    """The same over what a cross-validation of so many folds trains and measures."""
    value = recipe.model_dump(mode="json", include={*SEARCHED, "evaluate"})
    return _digest({**value, "folds": count})


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
