"""Rows unlike the others: far too long or short, full of signs nobody else uses, of other words.

Lengths are compared on a logarithmic scale with median and median deviation (Iglewicz & Hoaglin
1993), which the outliers themselves do not move. Nothing here says that such a row is wrong.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from afina.data.content import answer_text, input_text
from afina.data.findings import Finding, Placed, Section
from afina.types import LabelledExample, TextExample

FAR = 6.0
"""Median deviations from the median, in the units of a normal distribution's standard deviation."""
RARE_IN = 0.002
"""A character that fewer of the rows have is rare."""
RARE_SHARE = 0.2
"""Share of rare characters from which a row is reported."""
FEWEST = 50
"""Rows from which anything can be called unusual."""
WORDS = re.compile(r"[^\W\d_]{2,}")
FEWEST_WORDS = 4


def find(rows: Sequence[Placed]) -> Section:
    """The rows, most reasons first; the score is the number of deviations of its length."""
    if len(rows) < FEWEST:
        return Section({"looked_at": 0})
    asked = [input_text(row.example) for row in rows]
    reasons: dict[int, list[str]] = {}
    scores: dict[int, float] = {}
    measured = [("input", asked)]
    if not isinstance(rows[0].example, LabelledExample | TextExample):
        measured.append(("answer", [answer_text(row.example) for row in rows]))
    for name, texts in measured:
        for i, far in _far(texts):
            words = f"{len(texts[i]):,} characters"
            reasons.setdefault(i, []).append(f"{name} of {words}: far from the others")
            scores[i] = max(scores.get(i, 0.0), far)
    for i, share in _rare(asked):
        reasons.setdefault(i, []).append(f"{share:.0%} of its characters are rare here")
    for i in _alone(asked):
        reasons.setdefault(i, []).append("shares no word with another row")
    findings = [
        Finding(
            "outlier",
            rows[i].example.id,
            rows[i].example.where,
            rows[i].part,
            "; ".join(why),
            round(scores.get(i, 0.0), 2),
        )
        for i, why in reasons.items()
    ]
    findings.sort(key=lambda f: (-f.what.count(";"), -(f.score or 0.0), f.id))
    return Section({"looked_at": len(rows)}, findings)


def _far(texts: Sequence[str]) -> list[tuple[int, float]]:
    """Rows whose logarithm of the length lies far from the median, with the deviations."""
    lengths = np.array([math.log1p(len(text)) for text in texts])
    middle = float(np.median(lengths))
    spread = float(np.median(np.abs(lengths - middle))) * 1.4826
    spread = max(spread, 0.05)  # where all are alike, five per cent are no deviation
    deviations = np.abs(lengths - middle) / spread
    return [(int(i), float(deviations[i])) for i in np.flatnonzero(deviations > FAR)]


def _rare(texts: Sequence[str]) -> list[tuple[int, float]]:
    """Rows of which a large share are characters that few rows have."""
    counts: Counter[str] = Counter()
    usual = set(" \t\n\r")
    with_others: list[int] = []
    for i, text in enumerate(texts):
        others = set(text.lower()) - usual
        if others:
            with_others.append(i)
        for sign in others:
            counts[sign] += 1
            if counts[sign] > RARE_IN * len(texts):
                usual.add(sign)
    found = []
    for i in with_others:
        signs = [sign for sign in texts[i].lower() if not sign.isspace()]
        rare = sum(sign not in usual for sign in signs)
        if rare > RARE_SHARE * len(signs):
            found.append((i, rare / len(signs)))
    return found


def _alone(texts: Sequence[str]) -> list[int]:
    """Rows of some words, none of which stands in another row."""
    seen: set[str] = set()
    again: set[str] = set()
    new: list[int] = []
    for i, text in enumerate(texts):
        words = set(WORDS.findall(text.lower()))
        if len(words) >= FEWEST_WORDS and seen.isdisjoint(words):
            new.append(i)
        again |= words & seen
        seen |= words
    return [i for i in new if again.isdisjoint(WORDS.findall(texts[i].lower()))]
