"""What an untuned model is told, so that the comparison with the tuned one is fair.

A tuned model has seen the form of the answers and the names they use; an untuned one is told both
in a sentence. Nothing else of the training rows is given away.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from afina.models.label_texts import SEPARATOR, label_texts, none_of
from afina.tasks import Classify, Generate
from afina.types import Example, Task

MOST_NAMES = 40
"""Most values of a field that are listed."""


def for_labels(task: Classify) -> str:
    """The labels, as they are written in the answers."""
    names = ", ".join(label_texts(task.known_labels))
    if task.several:
        return f"{_several(task)} The labels are: {names}."
    return f"Give the text one label. Answer with the label only, one of: {names}."


def _several(task: Classify) -> str:
    return (
        "Give the text its labels, as many as apply. Answer with the labels only, separated by "
        f'"{SEPARATOR.strip()}", or with "{none_of(task.known_labels)}".'
    )


def for_labels_unnamed(task: Classify) -> str:
    """Where the labels are too many to be listed."""
    if task.several:
        return _several(task)
    return "Give the text one label. Answer with the label only."


def for_answers(task: Generate, train: Sequence[Example]) -> str:
    """For JSON answers: the keys of an object and the words of its first field; else nothing."""
    if task.answer != "json":
        return ""
    if any(task.conversation(example)[-1].tool_calls for example in train):
        return ""  # the form of calls is told by the template, with the tools on offer
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


def wordings(task: Task, train: Sequence[Example]) -> list[str]:
    """Ways to ask for the same, the usual one first, in English and in Spanish, and none at all."""
    if isinstance(task, Classify):
        names = ", ".join(label_texts(task.known_labels))
        if task.several:
            none = none_of(task.known_labels)
            return [
                for_labels(task),
                f"Which of these apply to the text? {names}. Write those that do, separated by "
                f'"{SEPARATOR.strip()}", or "{none}".',
                "Etiqueta el texto con todas las categorías que le correspondan, separadas por "
                f'"{SEPARATOR.strip()}", o con "{none}": {names}.',
                for_labels_unnamed(task),
                "",
            ]
        return [
            for_labels(task),
            f"Which of these fits the text best? {names}. Answer with that one and nothing else.",
            f"You sort texts. Write only the category of the text: {names}.",
            f"Clasifica el texto. Responde solo con una de estas categorías: {names}.",
            for_labels_unnamed(task),
            "",
        ]
    assert isinstance(task, Generate)
    usual = for_answers(task, train)
    if task.answer == "json":
        return [
            usual,
            f"{usual} Copy the values from the text, word for word.",
            f"You turn each text into JSON. {usual} No explanation.",
            f"Convierte cada texto en JSON, sin explicaciones ni nada más. {usual}",
            "",
        ]
    return [
        usual,
        "Answer exactly, in few words, and add nothing.",
        "Follow the style and the form of the answers that you are shown, to the letter.",
        "Responde con exactitud, en pocas palabras y sin añadir nada.",
        "Sigue al pie de la letra el estilo y la forma de las respuestas que se te muestran.",
    ]


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
