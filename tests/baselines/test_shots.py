"""Examples for a prompt: typical, unlike each other, the same each time."""

from __future__ import annotations

from afina.baselines.instruction import for_answers
from afina.baselines.shots import typical
from afina.tasks import Generate
from afina.types import ChatExample, Message

TEXTS = [f"turn on the lamp number {i}" for i in range(9)] + [
    f"¿lloverá mañana en {city}?" for city in ("Madrid", "Sevilla", "Bilbao", "Lugo")
]
STRATA = ["light"] * 9 + ["weather"] * 4


def test_examples_are_of_different_kinds() -> None:
    chosen = typical(TEXTS, STRATA, 2, seed=1)
    assert {STRATA[i] for i in chosen} == {"light", "weather"}
    assert chosen == typical(TEXTS, STRATA, 2, seed=1)


def test_repeated_texts_are_shown_once() -> None:
    assert typical(["a b", "a b", "c d"], [None] * 3, 5, seed=1) == (0, 2)
    many = typical(["a b c"] * 50 + ["x y z"] * 50, [None] * 100, 2, seed=1)
    assert sorted(many) == [0, 50]


def chat(answer: str) -> ChatExample:
    return ChatExample(
        id="1", where="r", messages=(Message("user", "q"), Message("assistant", answer))
    )


def test_the_instruction_tells_form_and_names_only() -> None:
    rows = [
        chat('{"intent": "On", "name": "lamp"}'),
        chat('{"intent": "On", "name": "oven", "area": "hall"}'),
        chat('{"intent": "Off", "name": "fan"}'),
        chat('{"intent": "Off", "name": "tv"}'),
    ]
    told = for_answers(Generate(answer="json"), rows)
    assert told == (
        'Answer with one JSON object only, with the keys "intent", "name", "intent" being one of '
        'Off, On, and where they apply the key "area".'
    )
    assert for_answers(Generate(answer="text"), rows) == ""
    assert for_answers(Generate(answer="json"), [chat("[1]")]) == "Answer with JSON only."
    free = [chat(json) for json in ('{"text": "a"}', '{"text": "b"}', '{"text": "c"}')]
    assert "being one of" not in for_answers(Generate(answer="json"), free)
