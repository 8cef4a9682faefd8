"""Scores of answers found in texts, against SQuAD's and MLQA's rules written out."""

from __future__ import annotations

import random
import re
import string
import unicodedata
from collections import Counter

import pytest

from afina.errors import RecipeError
from afina.evaluate.reading import same_answer, word_f1
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.single import value_of
from afina.tasks import Classify, FindAnswer
from afina.types import Answer, QuestionExample, Span

ARTICLES = {"en": r"\b(a|an|the)\b", "es": r"\b(un|una|unos|unas|el|la|los|las)\b"}
WORDS = tuple(
    "the The a an A. cat cats, “cat” «gato» el la los unas gato ¿gato? año 1.990 UN - — don't "  # noqa: SIM905
    "the-cat el/gato".split()
)


def theirs(text: str, language: str) -> str:
    """SQuAD's ``normalize_answer``: lower, punctuation, articles, white space, one after the other."""
    signs = set(string.punctuation)
    if language == "es":  # as MLQA's script
        signs |= {c for c in text if unicodedata.category(c).startswith("P")}
    bare = "".join(c for c in text.lower() if c not in signs)
    return " ".join(re.sub(ARTICLES[language], " ", bare).split())


def their_f1(right: str, given: str, language: str) -> float:
    one, other = theirs(right, language).split(), theirs(given, language).split()
    if len(one) == 0 or len(other) == 0:
        return float(one == other)
    same = sum((Counter(one) & Counter(other)).values())
    if same == 0:
        return 0.0
    precision, recall = same / len(other), same / len(one)
    return 2 * precision * recall / (precision + recall)


@pytest.mark.parametrize("language", ["en", "es"])
def test_equal_to_the_published_rules(language: str) -> None:
    draw = random.Random(1)
    texts = [" ".join(draw.choices(WORDS, k=draw.randrange(4))) for _ in range(25)]
    for right in texts:
        for given in texts:
            assert word_f1(right, given, language) == pytest.approx(
                their_f1(right, given, language)
            )
            same = theirs(right, language) == theirs(given, language)
            assert same_answer(right, given, language) == same


def row(*answers: str) -> QuestionExample:
    spans = tuple(Span(0, len(a), "", a) for a in answers)
    return QuestionExample(id=str(answers), where="row", question="q", context="c", answers=spans)


def test_the_nearest_of_several_answers_counts() -> None:
    task = FindAnswer(unanswerable=True, language="en")
    rows = [row("the red cat", "a cat"), row(), row(), row("dog")]
    given = [Answer(t) for t in ("cat!", "", "cat", "")]
    found = {n: value_of(SCORERS[n], task, rows, given) for n in task.scorers()}
    assert found == {"answer_f1": 0.5, "exact_match": 0.5, "no_answer_recall": 0.5}
    half = value_of(SCORERS["answer_f1"], task, [row("red cat")], [Answer("cat of a dog")])
    assert half == pytest.approx(2 * 1 / (2 + 3))


def test_the_scorers_are_for_answers_in_texts_only() -> None:
    with pytest.raises(RecipeError, match="task: answer"):
        choose(Classify(labels=("a", "b"), several=False), ["answer_f1"], None)
    for name in ("chrf", "perplexity", "rouge_l"):
        with pytest.raises(RecipeError, match="answer_f1"):
            choose(FindAnswer(unanswerable=False, language="es"), [name], None)
