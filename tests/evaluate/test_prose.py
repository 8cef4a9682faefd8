"""Prose: claims beyond the source and the way of writing; planted faults are found, no others."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from random import Random

import pytest

from afina.evaluate import style, support
from afina.evaluate.asking import Measured
from afina.evaluate.finding import Finding
from afina.recipe import Evaluate
from afina.tasks import Generate
from afina.types import Answer, ChatExample, Message
from tests.evaluate.candidates import TEXT
from tests.evaluate.materials import material

THINGS = "river bridge market teacher winter harvest window garden engine letter"
NOUNS = THINGS.split()
PLACES = ("Madrid", "Lisbon", "Sevilla", "Bilbao")


def text_of(random: Random, sentences: int) -> str:
    return " ".join(
        f"The {random.choice(NOUNS)} of {random.choice(PLACES)} has {random.randrange(10, 99)} "
        f"parts, and the {random.choice(NOUNS)} was near the {random.choice(NOUNS)}."
        for _ in range(sentences)
    )


def rows(count: int, seed: int) -> list[ChatExample]:
    """Questions of some hundred words whose right answer is their first sentence."""
    random = Random(seed)
    found = []
    for i in range(count):
        text = text_of(random, 8)
        turns = (Message("user", text), Message("assistant", text.split(". ")[0] + "."))
        found.append(ChatExample(id=str(i), where=f"row {i}", messages=turns))
    return found


def claimed(answers: list[str], test: list[ChatExample]) -> Finding | None:
    return support.find(material(TEXT, test, [Answer(a) for a in answers], metric="chrf"))


def test_claims_are_numbers_names_and_content_words() -> None:
    found = support.claims(
        "In 1.234,50 days María met Juan. Yesterday the engines of Madrid stopped."
    )
    assert found["numbers"] == {"1234.5"}
    assert found["names"] == {"maría", "juan", "madrid"}
    assert found["words"] == {"days", "engin", "stopp", "yeste"}
    same = ("1,234.50", "1.234,50", "1234.5")
    assert {support.number(n) for n in same} == {"1234.5"}
    assert support.number("3.0") == support.number("3") == "3"
    assert support.number("1.000.000") == "1000000"
    apart = unicodedata.normalize("NFD", "él él él él. Ayer vino Juan")
    assert support.claims(apart)["names"] == {"juan"}, "a word that begins a sentence is no name"
    assert support.beyond("Ana has 7 dogs", "ana's dog and 7.0 cats")["names"] == (0, 0)
    assert support.beyond("It is Ana with 8", "Ana and 7") == {
        "numbers": (1, 1),
        "names": (0, 1),
        "words": (0, 0),
    }


def test_invented_claims_are_found_and_faithful_answers_are_not_accused() -> None:
    """20 tests each: one answer in three has an invented number and name."""
    wrong = right = 0
    for seed in range(20):
        test = rows(60, seed)
        golds = [TEXT.gold(row).text for row in test]
        invented = [
            g + (" Paris paid 777 there." if i % 3 == 0 else "") for i, g in enumerate(golds)
        ]
        second = [TEXT.question(row).text.split(". ")[1] + "." for row in test]
        found, even = claimed(invented, test), claimed(second, test)
        assert found is not None
        assert even is not None
        right += found.alarm
        wrong += even.alarm
        tuned, gold = found.rows
        assert tuned["numbers_beyond"]["value"] > 0.1
        assert gold["numbers_beyond"]["value"] == 0.0
    assert right == 20
    assert wrong == 0


def test_passages_are_a_source_and_short_questions_are_none() -> None:
    test = [
        ChatExample(
            id=str(i),
            where="",
            messages=(
                Message("user", "When?"),
                Message("assistant", "The engine started in 1990."),
            ),
        )
        for i in range(30)
    ]
    alone = [Answer("The engine started in 1990.")] * 30
    assert support.find(material(TEXT, test, alone, metric="chrf")) is None
    shown = ("The engine started in 1990.",)
    told = [Answer("The engine started in 1995.", passages=shown)] * 30
    found = support.find(material(TEXT, test, told, metric="chrf"))
    assert found is not None
    assert found.rows[0]["numbers_beyond"]["value"] == 1.0


# ---------------------------------------------------------------------------- style


def said(random: Random, brand: bool) -> str:
    """A brand that is short and cheerful, and a base that is long and stiff, about the same things."""
    thing, place = random.choice(NOUNS), random.choice(PLACES)
    if brand:
        ends = random.sample(["!", "!", ".", "?"], 3)
        return (
            f"Hi{ends[0]} Your {thing} is on its way to {place}{ends[1]} We love it, and you will too! "
            f"Ask us for more{ends[2]} {random.choice(['See you!', 'You can count on us!'])}"
        )
    return (
        f"With regard to the {thing} that was ordered, it has been noted by the office of {place} "
        f"that, as of {random.choice(['today', 'yesterday'])}, it is in the course of being sent; "
        "further questions should be put to the department which is named above."
    )


def of_style(tuned: bool, seed: int, base: bool = False) -> Finding:
    random = Random(seed)
    test = [
        ChatExample(
            id=str(i),
            where="",
            messages=(
                Message("user", f"Where is it {i}?"),
                Message("assistant", said(random, True)),
            ),
        )
        for i in range(60)
    ]
    own = [Answer(said(random, tuned)) for _ in test]
    given = material(TEXT, test, own, metric="chrf", settings=Evaluate(resamples=200))
    other = Measured("zero_shot", answers=[Answer(said(random, base)) for _ in test])
    found = style.find(replace(given, measured=[given.own, other]))
    assert found is not None
    return found


def test_a_style_that_was_learned_is_nearer_and_one_that_was_not_is_not() -> None:
    codes = [of_style(True, seed).statements[0].code for seed in range(10)]
    assert codes == ["style_nearer"] * 10
    assert of_style(False, 1, base=True).statements[0].code == "style_farther"
    even = [of_style(True, seed, base=True).statements[0].code for seed in range(20)]
    assert even.count("style_even") >= 17


def test_the_same_style_is_about_as_near_as_chance() -> None:
    found = of_style(True, 3)
    tuned, base = found.rows
    assert tuned["distance"]["value"] < 2 * tuned["by_chance_distance"]
    assert base["distance"]["value"] > 3 * tuned["distance"]["value"]
    assert tuned["distance"]["low"] <= tuned["distance"]["value"] <= tuned["distance"]["high"]


@pytest.mark.parametrize("answer", ["yes", "42"])
def test_short_answers_have_no_style(answer: str) -> None:
    test = [
        ChatExample(
            id=str(i), where="", messages=(Message("user", "?"), Message("assistant", answer))
        )
        for i in range(40)
    ]
    assert style.find(material(TEXT, test, [Answer(answer)] * 40, metric="exact_match")) is None
    values = material(TEXT, test, [Answer(answer)] * 40, metric="exact_match")
    assert style.find(replace(values, task=Generate(answer="json"))) is None
