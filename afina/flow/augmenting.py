"""Rows made of the training rows, where the recipe asks for them (``data.augment``)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from afina.recipe import Recipe

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.data.augment import Made
    from afina.models.predictor import TunedModel

MOST_TOKENS = 128
"""Of a translation. One that is cut off or empty is not used: the text stays, and is counted so."""
LANGUAGE_NAMES = {"en": "English", "es": "Spanish"}


def made_rows(recipe: Recipe, dataset: Dataset, say: Callable[[str], None]) -> Made | None:
    """The rows; None where none are asked for. Raises RecipeError for a task whose answers hang on
    the very words, and what thesaurus and translation raise."""
    from afina.data.apertium import translate
    from afina.data.augment import augment, refuse

    knobs = recipe.data.augment
    if knobs is None:
        return None
    refuse(dataset.task, dataset.train)
    by = translate if knobs.model is None else _by_model(knobs.model, say)
    say(f"making rows of {len(dataset.train):,} training rows: {', '.join(knobs.by)}")
    return augment(dataset.train, dataset.validation, dataset.test, knobs, by)


def _by_model(
    base: str, say: Callable[[str], None]
) -> Callable[[Sequence[str], str, str], list[str]]:
    """A language model that is asked to translate; opened at the first text."""
    from functools import cache

    from afina.types import Input, Message

    @cache
    def opened() -> TunedModel:
        from afina.baselines.rag import open_untuned

        return open_untuned(base, max_new_tokens=MOST_TOKENS, say=say)

    def translate(texts: Sequence[str], source: str, target: str) -> list[str]:
        ask = f"Translate from {LANGUAGE_NAMES[source]} into {LANGUAGE_NAMES[target]}:\n\n"
        answers = opened().predict([Input((Message("user", ask + text),)) for text in texts])
        return [
            a.text.strip() if a.text.strip() and a.finish != "length" else text
            for a, text in zip(answers, texts, strict=True)
        ]

    return translate


def note_of(made: Made | None) -> tuple[str, ...]:
    """What the plan says of them."""
    if made is None:
        return ()
    how = ", ".join(f"{count:,} by {way}" for way, count in (made.by or {}).items())
    out = ", ".join(f"{count:,} {reason}" for reason, count in (made.left_out or {}).items())
    told = f"{len(made.rows):,} rows were made of {made.of:,} training rows: {how}"
    return (told + (f"; left out: {out}" if out else ""),)
