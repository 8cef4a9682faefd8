"""What an untuned model is told, so that the comparison with the tuned one is fair.

A tuned model has seen the form of the answers and the names they use; an untuned one is told both
in a sentence. Nothing else of the training rows is given away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from afina.models.label_texts import label_texts
from afina.tasks import Classify, Generate
from afina.types import Example

MOST_NAMES = 40
"""Most values of a field that are listed."""


def for_labels(task: Classify) -> str:
    """The labels, as they are written in the answers."""
    names = ", ".join(label_texts(task.known_labels))
    return f"Give the text one label. Answer with the label only, one of: {names}."


def for_labels_unnamed() -> str:
    """Where the labels are too many to be listed."""
    return "Give the text one label. Answer with the label only."


def for_answers(task: Generate, train: Sequence[Example]) -> str:
    """For JSON answers: the keys of an object and the words of its first field; else nothing."""
    if task.answer != "json":
        return ""
    values = [json.loads(task.gold(example).text) for example in train]
    objects = [value for value in values if isinstance(value, dict)]
    if len(objects) < len(values):
        return "Answer with JSON only."
    keys = Counter(key for value in objects for key in value)
    always = [key for key, count in keys.items() if count == len(objects)]
    sometimes = [key for key in keys if keys[key] < len(objects)]
    parts = [f"Answer with one JSON object only, with {_listed(always)}" if always else
             "Answer with one JSON object only"]  # fmt: skip
    words = _words(objects, next(iter(objects[0]), None))
    if words:
        parts.append(words)
    if sometimes and len(sometimes) <= MOST_NAMES:
        parts.append(f"and where they apply {_listed(sometimes)}")
    return ", ".join(parts) + "."


def _listed(keys: Sequence[str]) -> str:
    return ("the key " if len(keys) == 1 else "the keys ") + ", ".join(f'"{key}"' for key in keys)


def _words(objects: Sequence[dict[str, Any]], key: str | None) -> str:
    """The values of the first field, where they are few words (an intent, a type)."""
    if key is None:
        return ""
    values = [value.get(key) for value in objects]
    names = sorted({value for value in values if isinstance(value, str)})
    few = len(names) <= min(MOST_NAMES, max(2, len(objects) // 2))
    if not names or not few or not all(isinstance(value, str) for value in values):
        return ""
    return f'"{key}" being one of {", ".join(names)}'
