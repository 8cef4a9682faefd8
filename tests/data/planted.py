"""Faults to plant in rows, for the tests of the checks: published rows where they are, else made."""

from __future__ import annotations

import csv
import random
from pathlib import Path

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

Rows = list[tuple[str, str]]


def banking(most: int | None = None) -> Rows:
    """(text, label) of Banking77's training file, the first ``most`` labels."""
    with (SHARED / "banking77/train.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["text"], row["category"]) for row in csv.DictReader(file)]
    labels = list(dict.fromkeys(label for _, label in rows))[:most]
    return [row for row in rows if row[1] in labels]


VERBS = [
    "send",
    "return",
    "cancel",
    "change",
    "track",
    "repeat",
    "explain",
    "confirm",
    "delay",
    "refund",
]
THINGS = [
    "parcel",
    "invoice",
    "order",
    "subscription",
    "password",
    "address",
    "voucher",
    "contract",
    "card",
    "meeting",
]
WHENS = [
    "today",
    "tomorrow",
    "before",
    "Friday",
    "after",
    "lunch",
    "this",
    "evening",
    "next",
    "week",
    "in",
    "the",
    "morning",
]
ENDS = [
    "thank you very much",
    "it is rather urgent",
    "my neighbour asked me to",
    "or I shall leave",
    "",
]


def made(count: int, seed: int = 5) -> Rows:
    """(text, label) of made requests; the label is the thing asked about, and never a guess."""
    dice = random.Random(seed)
    rows: dict[str, str] = {}
    while len(rows) < count:
        thing = dice.choice(THINGS)
        words = [
            dice.choice(["please", "could you", "I want to", "why can nobody", "how do I"]),
            dice.choice(VERBS),
            dice.choice(["the", "my", "this", "our second"]),
            thing,
            " ".join(dice.sample(WHENS, dice.randint(1, 4))),
            dice.choice(["from", "for", "near", "with"]),
            "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(4, 9))),
            dice.choice(ENDS),
        ]
        rows[" ".join(words).strip()] = thing
    return list(rows.items())


def reworded(text: str, dice: random.Random) -> str:
    """The same text with one small change, as copies in real data have them."""
    words = text.split()
    at = dice.randrange(len(words))
    change = dice.choice(["typo", "twice", "gone", "more"])
    if change == "typo" and len(words[at]) > 3:
        letters = list(words[at])
        i = dice.randrange(len(letters) - 1)
        letters[i], letters[i + 1] = letters[i + 1], letters[i]
        words[at] = "".join(letters)
    elif change == "twice":
        words.insert(at, words[at])
    elif change == "gone" and len(words) > 6:
        del words[at]
    else:
        words.append(dice.choice(["please", "thanks", "now", "again"]))
    return " ".join(words)
