"""Scores of answers found in texts, against SQuAD's and MLQA's rules written out."""

from __future__ import annotations

import random
import re
import string
import unicodedata
from collections import Counter

import pytest

from afina.errors import RecipeError
from afina.evaluate import Report, evaluate
from afina.evaluate.intervals import unseen_share
from afina.evaluate.reading import same_answer, word_f1
from afina.evaluate.scorers import SCORERS, choose
from afina.evaluate.single import value_of
from afina.recipe import Evaluate, Goal
from afina.tasks import Classify, FindAnswer
from afina.types import Answer, QuestionExample, Span
from tests.evaluate.candidates import Fixed

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


def asked(rows: int, without: int) -> list[QuestionExample]:
    """The first ``without`` texts hold no answer."""
    return [
        QuestionExample(
            id=str(i),
            where=f"row {i}",
            question="who?",
            context="Ana wrote" if i >= without else "somebody wrote",
            answers=(Span(0, 3, "", "Ana"),) if i >= without else (),
        )
        for i in range(rows)
    ]


def report_of(rows: int, without: int, *scorers: str) -> Report:
    """Of a model that never finds anything."""
    return evaluate(
        [Fixed("tuned", lambda _: Answer("", spans=()))],
        asked(rows, without),
        task=FindAnswer(unanswerable=True, language="en", no_answer=0.0),
        tuned="tuned",
        goal=Goal(metric=scorers[0]),
        settings=Evaluate(scorers=scorers, resamples=200),
        seed=7,
    )


def test_what_a_score_does_not_count_makes_it_no_surer_and_is_not_wrong() -> None:
    report = report_of(100, 10, "no_answer_recall")
    score = report.candidate("tuned").scores["no_answer_recall"]
    assert score.value == 1.0
    assert score.low == pytest.approx(1 - unseen_share(10, 0.95)), "ten rows, not a hundred"
    assert "worst" not in {found.name for found in report.findings}, "none of the ten is wrong"


def test_a_score_that_counts_no_row_of_the_test_is_none() -> None:
    tuned = report_of(20, 0, "answer_f1", "no_answer_recall").candidate("tuned")
    assert tuned.missing == {"no_answer_recall": "it counts none of the test's rows"}
