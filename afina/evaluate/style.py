"""How far each candidate's way of writing is from the user's own, before tuning and after it.

Burrows's Delta (2002) over function words, punctuation, and the lengths of sentences and words, which
say how somebody writes and little of what about: each feature in deviations of the right answers of
the test, the mean of the distances. Sums over rows, so rows are resampled as for any score. Two
samples of one writer are apart as well: that distance stands beside it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from afina.data.language import UNKNOWN, WORDS, identify
from afina.evaluate.finding import Column, Finding, Material
from afina.evaluate.intervals import resample
from afina.evaluate.scorer import Array, ratio
from afina.evaluate.statement import Statement
from afina.types import Answer

LEAST_ROWS, LEAST_WORDS = 20, 12
"""Rows, and words of the median right answer, from which there is a style to speak of."""
SEEN = 0.1
"""Share of the right answers that a function word must stand in to be a feature."""
MARKS = ",.;:!?¿¡()«»\"'—–-…\n"
UNTUNED = ("zero_shot", "base", "few_shot", "rag")
"""What the tuned model's style is compared with, the first that was measured."""
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_STOPS = re.compile(r"[.!?…]+(?:\s|$)|\n+")


def find(material: Material) -> Finding | None:
    """The distance of each candidate; None for answers that are no prose."""
    golds = material.golds
    if material.task.head != "tokens" or getattr(material.task, "answer", None) == "json":
        return None
    lengths = [len(_WORD.findall(gold.text)) for gold in golds]
    if len(golds) < LEAST_ROWS or float(np.median(lengths)) < LEAST_WORDS:
        return None
    small = _small_words([gold.text for gold in golds])
    right = _sums(golds, small)
    said = {
        m.name: _sums(m.answers, small)
        for m in material.measured
        if m.failure is None and len(m.answers) == len(golds) and any(a.text for a in m.answers)
    }
    if material.own.name not in said:
        return None
    scale = _rates(right).std(0)
    if not scale.any():
        return None
    settings = material.settings
    draws = resample([right, *said.values()], settings.resamples, material.seed)
    centre = _rates(right.sum(0))
    chance = float(np.quantile(_delta(_rates(draws[0]), centre, scale), settings.confidence))
    tail = [(1 - settings.confidence) / 2, (1 + settings.confidence) / 2]
    rows: list[dict[str, Any]] = []
    drawn: dict[str, Array] = {}
    for (name, sums), draw in zip(said.items(), draws[1:], strict=True):
        value = float(_delta(_rates(sums.sum(0)), centre, scale))
        drawn[name] = _delta(_rates(draw), _rates(draws[0]), scale)
        low, high = value + np.quantile(drawn[name], tail) - np.median(drawn[name])
        told = {"value": value, "low": max(0.0, float(low)), "high": float(high)}
        rows.append({"candidate": name, "distance": told, "by_chance_distance": chance})
    columns = (
        Column("candidate", "candidate"),
        Column("distance", "score", "number"),
        Column("by_chance_distance", "plain"),
    )
    return Finding("style", (_statement(material, rows, drawn),), columns, tuple(rows))


def _statement(material: Material, rows: Sequence[Any], drawn: dict[str, Array]) -> Statement:
    """Nearer, farther, or not told, against the base without tuning; alone without one."""
    own = material.own.name
    values = {row["candidate"]: row["distance"]["value"] for row in rows}
    told: dict[str, Any] = {"tuned": own, "value": values[own]}
    other = next((name for name in UNTUNED if name in values), None)
    if other is None:
        return Statement("style_alone", {**told, "chance": rows[0]["by_chance_distance"]})
    tail = (1 - material.settings.confidence) / 2
    apart = drawn[own] - drawn[other]
    difference = values[own] - values[other]
    ends = difference + np.quantile(apart, [tail, 1 - tail]) - np.median(apart)
    low, high = float(ends[0]), float(ends[1])
    code = "style_nearer" if high < 0 else "style_farther" if low > 0 else "style_even"
    told |= {"baseline": other, "other": values[other], "unit": "number"}
    return Statement(code, {**told, "difference": difference, "low": low, "high": high})


def _small_words(texts: Sequence[str]) -> tuple[str, ...]:
    """Function words of the languages of the texts that a tenth of them use."""
    spoken = {identify(text) for text in texts} - {UNKNOWN} or {"en"}
    known = {word for name in spoken for word in WORDS[name].split()}
    seen = Counter(word for text in texts for word in {w.lower() for w in _WORD.findall(text)})
    return tuple(sorted(w for w in known if seen[w] >= max(2.0, SEEN * len(texts))))


def _sums(answers: Sequence[Answer], small: Sequence[str]) -> Array:
    """[N, F + 3] of each answer: small words and marks, then letters, sentences and words."""
    place = {word: i for i, word in enumerate(small)}
    marks = {mark: len(small) + i for i, mark in enumerate(MARKS)}
    found = np.zeros((len(answers), len(small) + len(MARKS) + 3))
    for row, answer in zip(found, answers, strict=True):
        words = _WORD.findall(answer.text.lower())
        for word in words:
            if word in place:
                row[place[word]] += 1
        for character in answer.text:
            if character in marks:
                row[marks[character]] += 1
        row[-3] = sum(map(len, words))
        row[-2] = max(1, len(_STOPS.findall(answer.text.strip() + "\n"))) if words else 0
        row[-1] = len(words)
    return found


def _rates(sums: Array) -> Array:
    """Features [..., F + 2]: everything a word, and the words of a sentence."""
    a_word = ratio(sums[..., :-2], sums[..., -1:])
    return np.concatenate([a_word, ratio(sums[..., -1:], sums[..., -2:-1])], axis=-1)


def _delta(one: Array, other: Array, scale: Array) -> Array:
    """Mean distance in deviations over the features that vary."""
    varies = scale > 0
    return np.asarray((np.abs(one - other)[..., varies] / scale[varies]).mean(-1))
