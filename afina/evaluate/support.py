"""What answers say that their source does not: numbers, names and content words not found in it.

For summaries (the question is the source) and for answers from documents (the passages shown). By
words alone: a wrong claim made of the source's own words is not seen, and a right one in other words
counts against the answer. So the right answers are measured too, as the yardstick.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np

from afina.data.language import WORDS
from afina.evaluate.asking import Measured
from afina.evaluate.finding import Column, Finding, Material, RowMeasure
from afina.evaluate.row_measure import cell
from afina.evaluate.scorer import Array
from afina.evaluate.statement import Statement
from afina.types import Answer

LEAST_WORDS = 40
"""Words of the median question from which it counts as a source."""
LEAST_ROWS = 20
STEM = 5
"""Letters by which two content words are the same, so that endings do not count."""
MOST_OF_GOLD = 0.6
"""Share of the right answers' words beyond the source above which words say nothing (translation)."""
KINDS = ("numbers", "names", "words")
COLUMNS = ("numbers_beyond", "names_beyond", "words_beyond")
_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’-][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?:…\n]\s*[\"'»”¿¡(]*\s*$")
SMALL_WORDS = frozenset(word for words in WORDS.values() for word in words.split())


def claims(text: str) -> dict[str, set[str]]:
    """The numbers, the names (capitals within a sentence) and the content words of a text."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    text = unicodedata.normalize("NFC", text)
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token[0].isdigit():
            found["numbers"].add(number(token))
        elif token[0].isupper() and match.start() and not _starts(text, match.start()):
            found["names"].add(token.lower())
        elif token.lower() not in SMALL_WORDS and len(token) > 3:
            found["words"].add(stem(token))
    return found


def _starts(text: str, at: int) -> bool:
    """Whether a word begins a sentence, where a capital says nothing."""
    before = text[:at]
    return not before.strip(" \t\"'«“¿¡(-") or _SENTENCE_END.search(before[-8:]) is not None


def number(token: str) -> str:
    """A number by its digits: 1,234.50 and 1.234,50 are the same, and so are 3 and 3.0."""
    *whole, last = re.split("[.,]", token)
    if not whole or (len(last) == 3 and len(whole[0]) <= 3 and whole[0] != "0"):
        return "".join([*whole, last]).lstrip("0") or "0"
    digits = ("".join(whole).lstrip("0") or "0", last.rstrip("0"))
    return ".".join(part for part in digits if part)


def stem(word: str) -> str:
    """The beginning of a word, in small letters without accents."""
    apart = unicodedata.normalize("NFD", word.lower())
    return "".join(c for c in apart if not unicodedata.combining(c))[:STEM]


def beyond(answer: str, source: str) -> dict[str, tuple[int, int]]:
    """For each kind: how many of the answer's are not in the source, and how many it has."""
    said, given = claims(answer), claims(source)
    known = {token.lower() for token in _TOKEN.findall(unicodedata.normalize("NFC", source))}
    stems = {stem(token) for token in known}
    lacking = {
        "numbers": said["numbers"] - given["numbers"],
        "names": said["names"] - known,
        "words": said["words"] - stems,
    }
    return {kind: (len(lacking[kind]), len(said[kind])) for kind in KINDS}


def find(material: Material) -> Finding | None:
    """For each candidate that had a source, and for the right answers; None where there is none."""
    test = material.test
    if material.task.head != "tokens" or len(test) < LEAST_ROWS:
        return None
    questions = [material.task.question(row).joined().text for row in test]
    whole = float(np.median([len(text.split()) for text in questions])) >= LEAST_WORDS
    rows: list[dict[str, Any]] = []
    lead: Array | None = None
    for found in material.measured:
        sources = _sources(found, questions, whole)
        if sources is None:
            continue
        right = _figures(material.golds, sources)
        if _words(right) > MOST_OF_GOLD:
            continue
        own = _figures(found.answers, sources)
        rows.append({"candidate": found.name, **_cells(own, material)})
        rows.append({"candidate": f"{found.name} · ✓", **_cells(right, material)})
        if found is material.own:
            lead = own.sum(1)[:, 0] / np.maximum(own.sum(1)[:, 1], 1)
            lead = lead - right.sum(1)[:, 0] / np.maximum(right.sum(1)[:, 1], 1)
    if not rows:
        return None
    head = (
        Column("candidate", "candidate"),
        *(Column(key, "score") for key in COLUMNS),
    )
    if lead is None:
        said = Statement("support_others", {"tuned": material.own.name})
        return Finding("support", (said,), head, tuple(rows))
    of = RowMeasure("", "share", 1, lead, False, (-1.0, 1.0))
    apart = cell(lead, of, material.settings.confidence)
    values = {**apart, "tuned": material.own.name, "rows": len(test)}
    more = apart["low"] > 0
    said = Statement("support_lacking" if more else "support_even", values)
    return Finding("support", (said,), head, tuple(rows), alarm=more)


def _sources(found: Measured, questions: Sequence[str], whole: bool) -> list[str] | None:
    """What the candidate could read of each row beside its own knowledge, or None."""
    if found.failure is not None or len(found.answers) != len(questions):
        return None
    if any(answer.passages for answer in found.answers):
        return [
            "\n".join((question, *answer.passages))
            for question, answer in zip(questions, found.answers, strict=True)
        ]
    return list(questions) if whole else None


def _figures(answers: Sequence[Answer], sources: Sequence[str]) -> Array:
    """[N, kinds, 2]: not in the source, and all, of each answer."""
    counted = [beyond(a.text, source) for a, source in zip(answers, sources, strict=True)]
    return np.asarray([[row[kind] for kind in KINDS] for row in counted], np.float64)


def _words(figures: Array) -> float:
    lacking, every = figures[:, KINDS.index("words")].sum(0)
    return float(lacking / every) if every else 0.0


def _cells(figures: Array, material: Material) -> dict[str, Any]:
    """The mean share of each kind over the answers that have any of it."""
    cells: dict[str, Any] = {}
    for i, key in enumerate(COLUMNS):
        lacking, every = figures[:, i, 0], figures[:, i, 1]
        shares = lacking[every > 0] / every[every > 0]
        of = RowMeasure("", "share", -1, shares, False, (0.0, 1.0))
        told = cell(shares, of, material.settings.confidence) if len(shares) else None
        cells[key] = told
    return cells
