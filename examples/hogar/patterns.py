"""A command as a row, and the pattern it shares with those that differ only in their values."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

LITTLE_WORDS = frozenset(
    word
    for kind in (
        "el la los las un una mi mis todos todas",
        "de del a al en con por para y que le me se",
        "favor puedes podrías hoy ahora",
    )
    for word in kind.split()
)
"""Words that may come and go without making a new pattern."""


@dataclass(frozen=True, slots=True)
class Row:
    """One command, its answer as JSON, its pattern and its wording (see the functions below)."""

    prompt: str
    completion: str
    pattern: str
    wording: str

    @property
    def intent(self) -> str:
        return str(json.loads(self.completion)["intent"])


def pattern(intent: str, words: Sequence[tuple[str, str]]) -> str:
    """What makes two commands the same but for values, endings and little words: the stricter group.

    ``words`` are pairs of a text and the slot it fills ("" for none). Intent, then the content
    words in order: values become the name of their slot, little words fall away, and of every
    other word three letters stay, so that "enciende la luz del salón", "encender las luces de la
    cocina" and "encendé la luz en el baño por favor" are one pattern. Rather too coarse than too
    fine: two words that begin alike make one pattern, never two of what should be one.
    """
    stems = [
        "{" + slot + "}" if slot else _stem(text)
        for text, slot in words
        if slot or text not in LITTLE_WORDS
    ]
    return f"{intent.removeprefix('Hass')}: {' '.join(stem for stem in stems if stem)}"


def wording(intent: str, words: Sequence[tuple[str, str]]) -> str:
    """The very words of a command with its values masked: finer than its pattern.

    Commands of one wording differ in nothing but their values, so one of them in the training rows
    would give the other away: the group that the recipe's split keeps whole.
    """
    said = " ".join("{" + slot + "}" if slot else text.lower() for text, slot in words)
    return f"{intent.removeprefix('Hass')}: {said}"


def shape(of: str) -> str:
    """The slots of a pattern, without order."""
    return " ".join(sorted(re.findall("{[a-z_]+}", of)))


def _stem(word: str) -> str:
    """Three letters, in which "luz" and "luces", "cierra" and "cerrar" are the same."""
    letters = (c for c in unicodedata.normalize("NFD", word.lower()) if c.isalpha())
    bare = "".join(letters).replace("z", "c").replace("ie", "e").replace("ue", "o")
    return bare[:3]
