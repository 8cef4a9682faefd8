"""Sentences of the report: a code, its values, and the words for it in English and Spanish.

Stored by code and values, so that a report can be read by a program and shown in either language.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from afina.evaluate.figures import LANGUAGES, Filled, Language
from afina.evaluate.finding_words import FINDING_WORDS
from afina.evaluate.sentences import SENTENCES

BOUND = {"higher": ("at least", "al menos"), "lower": ("at most", "como mucho")}
"""Words for the side of a goal: the value ``better`` of a statement gives ``{bound}``."""


@dataclass(frozen=True)
class Statement:
    """One sentence. ``values`` hold what its places need, and ``unit`` where scores occur.

    Another room's sentences are a class below this one, with its own ``sentences``, ``filler`` and
    ``words``.
    """

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    sentences: ClassVar[Mapping[str, tuple[str, str]]] = SENTENCES
    filler: ClassVar[type[Filled]] = Filled

    def say(self, language: Language) -> str:
        """The sentence in a language."""
        unit = str(self.values.get("unit", "share"))
        text = self.sentences[self.code][LANGUAGES.index(language)]
        return self.filler(language, unit).vformat(text, (), self.words(language))

    def words(self, language: Language) -> dict[str, Any]:
        """The values, with those that are words said in the language."""
        values = dict(self.values)
        values["bound"] = BOUND[str(values.get("better", "higher"))][LANGUAGES.index(language)]
        for key in ("change", "swap"):  # by their words on the page
            if key in values:
                values[key] = FINDING_WORDS[values[key]][LANGUAGES.index(language)].lower()
        if told := values.get("told"):  # a reason with words of its own in each language
            values["what"] = Statement.from_dict(told).say(language)
        return values

    def as_dict(self) -> dict[str, Any]:
        """Code and values."""
        return {"code": self.code, "values": dict(self.values)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Statement:
        """Read back what ``as_dict`` wrote."""
        return cls(str(value["code"]), dict(value["values"]))
