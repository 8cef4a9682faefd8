"""Where an answer differs from the right one, word by word."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

Kind = Literal["same", "extra", "missing"]
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
MAX_TOKENS = 600
"""Longer texts are shown without marks: comparing them takes the square of their length."""
LEAST_ALIKE = 0.3
"""Texts less alike than this differ everywhere; marks would only make them unreadable."""


def differences(gold: str, answer: str) -> list[tuple[Kind, str]]:
    """Pieces of the answer in order; ``missing`` ones are of the right answer, where they lack.

    Pieces that are not ``missing`` join to the answer.
    """
    right, given = _TOKEN.findall(gold), _TOKEN.findall(answer)
    if gold == answer or not answer or max(len(right), len(given)) > MAX_TOKENS:
        return [("same", answer)] if answer else []
    matcher = SequenceMatcher(None, right, given, autojunk=False)
    if matcher.ratio() < LEAST_ALIKE:
        return [("same", answer)]
    pieces: list[tuple[Kind, str]] = []
    for kind, a, b, c, d in matcher.get_opcodes():
        if kind == "equal":
            pieces.append(("same", "".join(given[c:d])))
            continue
        if d > c:
            pieces.append(("extra", "".join(given[c:d])))
        if b > a:
            pieces.append(("missing", "".join(right[a:b])))
    return pieces
