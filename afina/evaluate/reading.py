"""Scores of answers found in texts, as SQuAD defines them (Rajpurkar et al. 2016, 2018).

Before answers are compared: lower case, no punctuation, no articles, single spaces. For English exactly
SQuAD's rules: ASCII punctuation and ``a an the``; for Spanish those of MLQA (Lewis et al. 2020): all of
Unicode's punctuation too, and ``un una unos unas el la los las``. Of several right answers the nearest
counts.
"""

from __future__ import annotations

import functools
import re
import string
import sys
import unicodedata
from collections import Counter

from afina.evaluate.scorer import Context, Counting, Row, Scorer, mean
from afina.types import Answer, Example, QuestionExample

_ARTICLES = {
    "en": re.compile(r"\b(?:a|an|the)\b"),
    "es": re.compile(r"\b(?:un|una|unos|unas|el|la|los|las)\b"),
}


@functools.cache
def _punctuation(language: str) -> dict[int, None]:
    """What is left out, as ``str.translate`` takes it."""
    signs = set(string.punctuation)
    if language != "en":
        every = map(chr, range(sys.maxunicode + 1))
        signs |= {sign for sign in every if unicodedata.category(sign)[0] == "P"}
    return dict.fromkeys(map(ord, signs))


def normal_words(text: str, language: str) -> list[str]:
    """The words of an answer that are compared."""
    bare = text.lower().translate(_punctuation(language))
    return _ARTICLES[language].sub(" ", bare).split()


def same_answer(right: str, given: str, language: str) -> bool:
    """SQuAD's exact match."""
    return normal_words(right, language) == normal_words(given, language)


def word_f1(right: str, given: str, language: str) -> float:
    """SQuAD's F1 of the words of two answers; where one of them has none, whether both have none."""
    one, other = normal_words(right, language), normal_words(given, language)
    if not one or not other:
        return float(one == other)
    return 2 * (Counter(one) & Counter(other)).total() / (len(one) + len(other))


def right_texts(example: Example) -> list[str]:
    """Every right answer; the empty one where the text has none."""
    assert isinstance(example, QuestionExample)
    return [span.text for span in example.answers] or [""]


def f1_counting(context: Context) -> Counting:
    """Statistics: the F1 of each row, rows."""
    language = context.require_reading("answer_f1")

    def count(example: Example, _: Answer, answer: Answer) -> Row:
        best = max(word_f1(right, answer.text, language) for right in right_texts(example))
        return {0: best, 1: 1.0}

    return Counting(2, count)


def nothing_counting(context: Context) -> Counting:
    """Statistics, of rows whose text has no answer: those that were given none, all."""
    context.require_reading("no_answer_recall")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        return {} if gold.text else {0: float(not answer.text), 1: 1.0}

    return Counting(2, count)


READING_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "answer_f1",
        "F1 of the words of answer and right answer, a mean over the rows (as SQuAD: without "
        "articles and punctuation).",
        f1_counting,
        mean,
    ),
    Scorer(
        "no_answer_recall",
        "Share of the questions without an answer that were given none.",
        nothing_counting,
        mean,
    ),
)
