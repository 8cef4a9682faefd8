"""The normal form of an input: what counts as the same question."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.data.content import normal_input, normalise
from afina.types import ChatExample, LabelledExample, Message

SAME = [
    ("Where is my card?", "where is  my card"),
    ("¿Dónde está mi tarjeta?", "DÓNDE ESTÁ MI TARJETA"),
    ("don't", "DON’T"),
    ("hello, world", "hello world!"),
    ("e-mail", "E mail"),
    ("café", "cafe\u0301"),
    ("ﬁne", "fine"),
    ("STRASSE", "straße"),
    ("a\u200bb", "ab"),
    ("it costs 5.", "It costs 5"),
    ("a\tb\nc", "a b c"),
]
DIFFERENT = [
    ("1.5", "15"),
    ("what is 3-1", "what is 31"),
    ("-5", "5"),
    ("10% of 30", "10 of 30"),
    ("2+2", "2 2"),
    ("?", "!"),
    ("good 👍", "good 👎"),
    ("niño", "nino"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_question(one: str, other: str) -> None:
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_another_question(one: str, other: str) -> None:
    assert normalise(one) != normalise(other)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
@settings(max_examples=300, deadline=None)
def test_normalising_twice_changes_nothing_and_never_loses_all(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert once or not text.strip() or all(not c.isalnum() for c in text)


def test_roles_are_kept_apart() -> None:
    def chat(*turns: tuple[str, str]) -> ChatExample:
        messages = tuple(Message(role, text) for role, text in turns)  # type: ignore[arg-type]
        return ChatExample(id="", where="", messages=(*messages, Message("assistant", "x")))

    one = chat(("system", "Be brief."), ("user", "Hi!"))
    assert normal_input(one) == normal_input(chat(("system", "be brief"), ("user", "hi")))
    assert normal_input(one) != normal_input(chat(("user", "be brief hi")))
    assert normal_input(chat(("user", "???"))) != normal_input(chat(("user", "!!!")))
    labelled = LabelledExample(id="", where="", text="Hi!", labels=("x",))
    assert normal_input(labelled) == "hi"
