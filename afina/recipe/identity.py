"""What a decision is about: the parts of a recipe that say what is wanted, of what, from what."""

from __future__ import annotations

import hashlib
import json

from afina.recipe.knobs import Recipe

DECIDED = ("task", "base", "data", "objective", "goal", "retrieval")
"""How it is trained, measured and served may change; the decision still stands."""


def fingerprint(recipe: Recipe) -> str:
    """SHA-256 over those parts, as hexadecimal digits."""
    value = recipe.model_dump(mode="json", include=set(DECIDED))
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
