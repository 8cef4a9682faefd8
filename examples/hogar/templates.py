"""Sentences drawn at random from the templates of Home Assistant, and what they mean.

A template such as ``<enciende> [el|la] {name} [en [el|la] {area}]`` stands for thousands of
sentences. ``Templates.draw`` walks through one of them and chooses at every fork; it knows nothing
of grammar (that is for ``spanish.py``). ``Templates.understand`` asks hassil.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any

from hassil import Intents, recognize_all
from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
)
from hassil.intents import SlotList, TextSlotList
from hassil.parse_expression import parse_sentence
from hassil.recognize import RecognizeResult
from house import ABSENT, KINDS, NUMBERS, WORDS, Noun
from spoken import LISTS, RULES

_HOLE = re.compile("⟦([0-9]+)⟧")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a sentence, or the words that fill a slot; ``form`` as in ``house.Noun``."""

    text: str
    slot: str = ""
    form: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """One line of the package: its intent, its text, its parsed form, the devices it is for."""

    intent: str
    text: str
    expression: Expression
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A sentence as drawn. What it means is not known yet."""

    template: Template
    text: str
    words: tuple[Word, ...]


class Templates:
    """The Spanish templates with the words of the house in their holes."""

    def __init__(self) -> None:
        package = resources.files("home_assistant_intents")
        tree = json.loads((package / "data" / "es.json").read_text(encoding="utf-8"))
        self._intents = Intents.from_dict(tree)
        self._lists: dict[str, SlotList] = {
            name: _text_list(WORDS.get(name, ())) for name in ("area", "floor", "name")
        }
        spoken = {name: parse_sentence(text) for name, text in RULES.items()}
        self._rules = {**self._intents.expansion_rules, **spoken}
        self._values = {name: parse_sentence(text).expression for name, text in LISTS.items()}

    def __iter__(self) -> Iterator[Template]:
        """The templates for what the house has, without those that need more than the words.

        Left out: lines that are understood only where it is known in which room the speaker is.
        """
        for name, intent in self._intents.intents.items():
            for block in intent.data:
                context = block.requires_context or {}
                domains = tuple(context.get("domain", ()))
                if "area" in context or block.slots.get("domain", "light") not in KINDS:
                    continue
                if domains and not any(noun.domain in domains for noun in WORDS["name"]):
                    continue
                for line in block.sentences:
                    if ABSENT.isdisjoint(line.list_names(self._intents.expansion_rules)):
                        yield Template(name, str(line.text), line.expression, domains)

    def draw(self, template: Template, rng: random.Random) -> Drawn:
        """One sentence of the template."""
        holes: list[Word] = []
        text = " ".join(self._walk(template.expression, rng, holes, template).split())
        parts = re.findall("⟦[0-9]+⟧|[^\\s⟦]+", text)
        found = ((_HOLE.fullmatch(part), part) for part in parts)
        words = tuple(holes[int(hole.group(1))] if hole else Word(part) for hole, part in found)
        text = _HOLE.sub(lambda hole: holes[int(hole.group(1))].text, text)
        return Drawn(template, text, words)

    def understand(self, text: str) -> tuple[dict[str, Any] | None, bool]:
        """The answer hassil gives, and whether it is the only one that is as good.

        Of all readings that ``hassil.recognize_all`` finds, Home Assistant takes the one that names
        a device, the longest name first, then the best by ``_quality`` (a test holds this equal to
        ``hassil.recognize_best``). Ambiguous: another reading is as good and answers otherwise.
        """
        readings = list(recognize_all(text, self._intents, self._lists, language="es"))
        if not readings:
            return None, True
        longest = max(map(_named, readings))
        best = min((r for r in readings if _named(r) == longest), key=_quality)
        answer = _answer(best)
        rivals = (r for r in readings if _quality(r)[:3] <= _quality(best)[:3])
        return answer, all(_answer(rival) == answer for rival in rivals)

    def _walk(
        self, node: Expression, rng: random.Random, holes: list[Word], template: Template
    ) -> str:
        if isinstance(node, TextChunk):
            return str(node.original_text).lower()
        if isinstance(node, Alternative):
            return self._walk(rng.choice(node.items), rng, holes, template)
        if isinstance(node, Permutation):
            order = rng.sample(node.items, len(node.items))
            return " ".join(self._walk(item, rng, holes, template) for item in order)
        if isinstance(node, Group):
            return "".join(self._walk(item, rng, holes, template) for item in node.items)
        if isinstance(node, RuleReference):
            return self._walk(self._rules[node.rule_name].expression, rng, holes, template)
        if isinstance(node, ListReference):
            holes.append(self._fill(node, rng, template))
            return f"⟦{len(holes) - 1}⟧"
        raise TypeError(f"{type(node).__name__} in the template {template.text}")

    def _fill(self, node: ListReference, rng: random.Random, template: Template) -> Word:
        name = node.list_name
        if name in NUMBERS:
            return Word(str(rng.choice(NUMBERS[name])), node.slot_name)
        if name in WORDS:
            fits = [n for n in WORDS[name] if name != "name" or n.domain in template.domains]
            noun = rng.choice(fits)
            return Word(noun.text, node.slot_name, noun.form, noun.domain)
        text = self._walk(self._values[name], rng, [], template)
        return Word(" ".join(text.split()), node.slot_name)


def _text_list(nouns: tuple[Noun, ...]) -> TextSlotList:
    return TextSlotList.from_tuples(
        ((n.text, n.text, {"domain": n.domain} if n.domain else {}) for n in nouns),
        allow_template=False,
    )


def _answer(result: RecognizeResult) -> dict[str, Any]:
    """Intent first, then the slots by name; whole numbers as integers."""
    slots = {entity.name: _plain(entity.value) for entity in result.entities_list}
    return {"intent": result.intent.name, **{name: slots[name] for name in sorted(slots)}}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.strip() if isinstance(value, str) else value


def _named(result: RecognizeResult) -> int:
    """Letters of the device that a reading names; 0 for a name that is a wildcard, or none."""
    name = result.entities.get("name")
    return 0 if name is None or name.is_wildcard else len(name.text)


def _quality(result: RecognizeResult) -> tuple[int, int, int, str]:
    """Lower is better: wildcards, literal text not matched, text left to wildcards; then by name."""
    wild = [entity for entity in result.entities_list if entity.is_wildcard]
    left = sum(len(entity.text or "") for entity in wild)
    return len(wild), -result.text_chunks_matched, left, result.intent.name
