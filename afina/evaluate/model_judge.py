"""A model as judge: it is asked about each item twice, with the answers in both orders.

What it prefers only in one order is its liking for a place, not for an answer: a tie (Zheng et al. 2023,
arXiv 2306.05685). What it says is worth nothing until it is held against what people said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from afina.evaluate.blind import Choice, Filled, Item
from afina.types import Answer, Input, Message, Predictor

LABELS = ("A", "B")
QUESTION = (
    "Here are a question and two answers to it.\n\nQuestion:\n{question}\n\nAnswer A:\n{a}\n\n"
    "Answer B:\n{b}\n\nWhich answer is better, A or B? Reply with A, B or tie."
)
_REPLY = re.compile(r"\W*(?:answer\s+)?(a|b|tie)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Asked:
    """A model's choices, and how steady it was."""

    filled: Filled
    items: int
    swayed: int
    """Items on which it preferred whatever stood in one place."""
    unreadable: int
    """Replies that were neither A nor B nor tie."""

    def as_dict(self) -> dict[str, Any]:
        return {"items": self.items, "swayed": self.swayed, "unreadable": self.unreadable}


def ask_model(judge: Predictor, items: Sequence[Item], name: str = "") -> Asked:
    """Ask any predictor about all items, in both orders."""
    straight = [_question(item.question, item.a, item.b) for item in items]
    turned = [_question(item.question, item.b, item.a) for item in items]
    replies = judge.predict([*straight, *turned])
    first = [_read(reply) for reply in replies[: len(items)]]
    second = [_read(reply) for reply in replies[len(items) :]]
    choices: dict[str, Choice] = {}
    swayed = 0
    for item, one, other in zip(items, first, second, strict=True):
        back: dict[str | None, Choice] = {"a": "b", "b": "a"}
        agreed = one is not None and one != "tie" and back.get(other) == one
        choices[item.item] = one if agreed and one is not None else "tie"
        swayed += one is not None and one != "tie" and one == other
    unreadable = sum(reply is None for reply in (*first, *second))
    return Asked(Filled(name or judge.name, choices), len(items), swayed, unreadable)


def _question(question: str, a: str, b: str) -> Input:
    return Input((Message("user", QUESTION.format(question=question, a=a, b=b)),))


def _read(answer: Answer) -> Choice | None:
    found = _REPLY.match(answer.text)
    if found is None:
        return None
    said = found[1].lower()
    return "a" if said == "a" else "b" if said == "b" else "tie"
