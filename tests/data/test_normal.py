"""The normal form of an input: what counts as the same question."""

from __future__ import annotations

import re
import unicodedata

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


def plainly(text: str) -> str:
    """The normal form by its definition, sign by sign."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    left = re.sub(r"(?<=\w)['’ʼ](?=\w)", "", folded)
    left = "".join(
        c for c in left if unicodedata.category(c) != "Cf" and not "\ufe00" <= c <= "\ufe0f"
    )
    spaced = ""
    for at, sign in enumerate(left):
        before, after = left[:at][-1:], left[at + 1 : at + 2]
        in_number = before.isdecimal() and (sign == "%" or (sign in ".,:/-" and after.isdecimal()))
        negative = sign == "-" and (not before or before.isspace()) and after.isdecimal()
        mark = unicodedata.category(sign)[0] == "P"
        spaced += " " if mark and not in_number and not negative else sign
    return " ".join(spaced.split()) or " ".join(left.split())


@given(
    st.text(
        alphabet=st.one_of(
            st.sampled_from("aB1٣ .,:/-%'’\u200b\t\x1c\u3000¿!ﬁß²"),
            st.characters(exclude_categories=["Cs"], max_codepoint=0xFFFF),
        ),
        max_size=40,
    )
)
@settings(max_examples=500, deadline=None)
def test_the_quick_way_is_the_definition(text: str) -> None:
    assert normalise(text) == plainly(text)


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
