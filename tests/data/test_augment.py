"""Rows made of training rows: with a small thesaurus of the same form, and with the real ones."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from afina.data import apertium, thesaurus
from afina.data.augment import augment, refuse, replaced
from afina.data.content import normal_input
from afina.data.sealed import SealedTest
from afina.errors import DataError, MachineError, RecipeError
from afina.recipe.augment import Augment
from afina.tasks import Classify, Generate, Regress, Tag, Transform
from afina.types import ChatExample, Example, LabelledExample, Message, NumberExample, TaggedExample

# One sense a line, at its byte offset, as WordNet has them; the licence's lines begin with spaces.
DATA = {
    "noun": "  1 licence\n{0:08d} 06 n 03 parcel 0 package 0 Big_Parcel 0 000 @ | it is sent\n",
    "verb": "  1 licence\n{0:08d} 38 v 02 send 0 mail 1 000 @ | to send\n",
    "adj": "",
    "adv": "",
}
OFFSET = len("  1 licence\n")
INDEX = {
    "noun": "  1 licence\nparcel n 2 1 @ 2 1 {0:08d} 00000099\nsend n 1 0 1 0 {0:08d}\n",
    "verb": "send v 1 2 @ + 1 9 {0:08d}\nthe v 1 0 1 0 {0:08d}\n",
    "adj": "",
    "adv": "",
}
SPANISH = (
    "ISO8859-1\ncasa|2\n-|apartamento|vivienda|casa de campo|morada\n-|nido|hogar\n"
    "buzón|1\n-|casillero|cajón\nla|1\n-|nota\n"
)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Both thesauri, of a few words."""
    for kind in thesaurus.KINDS:
        (tmp_path / f"data.{kind}").write_text(DATA[kind].format(OFFSET), "utf-8")
        (tmp_path / f"index.{kind}").write_text(INDEX[kind].format(OFFSET), "utf-8")
    (tmp_path / "th_es_ES_v2.dat").write_bytes(SPANISH.encode("latin-1"))
    monkeypatch.setattr(thesaurus, "WORDNET", (tmp_path,))
    monkeypatch.setattr(thesaurus, "MYTHES", (tmp_path,))
    thesaurus.synonyms.cache_clear()
    yield tmp_path
    thesaurus.synonyms.cache_clear()


def labelled(text: str, label: str = "post", **facts: Any) -> LabelledExample:
    return LabelledExample(
        id=text, where=f"rows.csv: row {text}", text=text, labels=(label,), **facts
    )


def no_engine(texts: Sequence[str], source: str, target: str) -> list[str]:
    raise AssertionError("nobody asked for a translation")


def made_of(
    train: Sequence[Example],
    validation: Sequence[Example] = (),
    test: Sequence[Example] = (),
    translate: Any = no_engine,
    **knobs: Any,
) -> Any:
    return augment(train, validation, SealedTest(test), Augment(**knobs), translate)


def test_a_word_of_the_most_frequent_sense_takes_its_place(small: Path) -> None:
    words = thesaurus.synonyms("en")
    assert words == {"parcel": ("package",), "send": ("mail",)}
    made = made_of([labelled("Send my PARCEL, please")], rate=1.0, language="en")
    (row,) = made.rows
    assert row.text == "Mail my PACKAGE, please" and row.labels == ("post",)
    assert row.group == "Send my PARCEL, please" and row.id != row.group
    assert row.where == "rows.csv: row Send my PARCEL, please (synonyms)"


def test_spanish_words_keep_their_ending(small: Path) -> None:
    assert set(thesaurus.synonyms("es")["casa"]) == {"vivienda", "morada"}
    assert "la" not in thesaurus.synonyms("es"), "small words stay"
    assert thesaurus.synonyms("es")["buzón"] == ("cajón",)


def test_the_rate_says_how_many_words_change() -> None:
    words = {f"w{c}": (f"x{c}",) for c in "abcdefghij"}
    text = " ".join(words)
    for rate, changed in ((0.01, 1), (0.2, 2), (0.5, 5), (1.0, 10)):
        out = replaced(text, {k.lower(): v for k, v in words.items()}, rate, Random(1))
        assert sum(a != b for a, b in zip(out.split(), text.split(), strict=True)) == changed
    assert replaced("nothing here", {}, 1.0, Random(1)) == "nothing here"


def test_no_row_crosses_into_another_split_and_all_are_counted(small: Path) -> None:
    train = [labelled(t) for t in ("send it", "the parcel here", "nothing known", "a parcel now")]
    held, sealed = [labelled("mail it")], [labelled("The package, HERE!")]
    made = made_of(train, held, sealed, rate=1.0, language="en")
    assert [row.text for row in made.rows] == ["a package now"]
    assert made.left_out == {"held": 2, "unchanged": 1} and made.by == {"synonyms": 1}
    assert made.of == 4
    facts = made.as_dict()
    assert facts["rows"] == 1 and "parcel" not in str(facts) and len(facts["sha256"]) == 64


def test_no_row_is_made_nearly_the_same_as_one_that_is_held(small: Path) -> None:
    """The made row is 92 % like a held one, its origin 76 %. Where the origin is as near, the recipe has
    chosen to keep such rows, and a row made of it changes nothing."""
    ends = "to my old neighbour at the corner of the long street before the end of this week"
    held, other = labelled(f"The package {ends}, please"), labelled("a parcel for you")
    rows = [labelled(f"the parcel {ends}"), other]
    for held_back in ({"validation": [held]}, {"test": [held]}):
        made = made_of(rows, **held_back, rate=1.0, language="en")
        assert [row.text for row in made.rows] == ["a package for you"]
        assert made.left_out == {"near_held": 1}
    longer = f"{ends}, for he has asked me twice and nobody else will have an hour until Monday"
    held = labelled(f"The package {longer}, please")
    made = made_of([labelled(f"the parcel {longer}")], test=[held], rate=1.0, language="en")
    assert len(made.rows) == 1 and not made.left_out


def test_seed_and_share_decide_and_the_order_does_not(small: Path) -> None:
    train = [labelled(f"send parcel {n}") for n in range(40)]
    first = made_of(train, share=0.5, language="en", seed=1)
    assert len(first.rows) == 20
    turned = made_of(train[::-1], share=0.5, language="en", seed=1)
    assert first.sha256 == turned.sha256
    assert {row.text for row in first.rows} == {row.text for row in turned.rows}
    assert made_of(train, share=0.5, language="en", seed=2).sha256 != first.sha256
    more = made_of(train, copies=6, rate=0.5, language="en")
    assert 40 < len(more.rows) <= 80, "each row has two words that may change, one at a time"
    assert more.left_out["known"] > 0


def test_there_and_back_again(small: Path) -> None:
    asked: list[tuple[str, str]] = []

    def engine(texts: Sequence[str], source: str, target: str) -> list[str]:
        asked.append((source, target))
        return [f"{text} <{target}" for text in texts]

    train = [
        labelled("where is the parcel and who has it"),
        labelled("¿dónde está la casa de mi tía?"),
    ]
    made = made_of(train, by=("back_translation",), translate=engine)
    assert [row.text for row in made.rows] == [
        "where is the parcel and who has it <es <en", "¿dónde está la casa de mi tía? <en <es",
    ]  # fmt: skip
    assert asked == [("en", "es"), ("es", "en"), ("es", "en"), ("en", "es")]


def test_rows_of_no_known_language_are_counted(small: Path) -> None:
    train = [labelled("wo ist denn das und warum nicht bei mir"), labelled("where is the parcel")]
    made = made_of(train, rate=1.0)
    assert len(made.rows) == 1 and made.left_out == {"language": 1}
    with pytest.raises(DataError, match="no row could be made of 1"):
        made_of(train[:1])


def test_pairs_and_conversations_change_in_what_is_asked(small: Path) -> None:
    pair = NumberExample(id="p", where="x: row 1", text="a parcel", second="send", number=0.5)
    (row,) = made_of([pair], rate=1.0, language="en").rows
    assert (row.text, row.second, row.number) == ("a package", "mail", 0.5)
    turns = (
        Message("user", "a parcel"), Message("assistant", "the parcel"),
        Message("user", "send it"), Message("assistant", "send"),
    )  # fmt: skip
    chat = ChatExample(id="c", where="x: row 2", messages=turns, group="g")
    (row,) = made_of([chat], rate=1.0, language="en").rows
    assert [m.content for m in row.messages] == ["a parcel", "the parcel", "mail it", "send"]
    assert row.group == "g"


@pytest.mark.parametrize(
    ("task", "row", "why"),
    [
        (Tag(), TaggedExample(id="1", where="", text="a", spans=()), "in the words"),
        (Transform(), ChatExample(id="1", where="", messages=()), "in the words"),
        (Generate(answer="json"), ChatExample(id="1", where="", messages=()), "JSON"),
        (
            Generate(answer="text"),
            ChatExample(
                id="1",
                where="",
                messages=(Message("assistant", "", tool_calls=({"function": {}},)),),
            ),
            "call tools",
        ),
    ],
)
def test_where_words_matter_it_is_refused_with_the_reason(
    task: Any, row: Example, why: str
) -> None:
    with pytest.raises(RecipeError) as error:
        refuse(task, [row])
    assert why in error.value.what and error.value.where == "data.augment"


def test_where_they_do_not_it_is_let_through() -> None:
    refuse(Classify(), [labelled("a")])
    refuse(Regress(), [NumberExample(id="1", where="", text="a", number=1)])
    refuse(
        Generate(answer="text"), [ChatExample(id="1", where="", messages=(Message("user", "a"),))]
    )


def test_what_is_missing_names_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thesaurus, "WORDNET", (tmp_path,))
    monkeypatch.setattr(thesaurus, "MYTHES", (tmp_path,))
    monkeypatch.setattr(apertium, "MODES", tmp_path)
    thesaurus.synonyms.cache_clear()
    for language, package in (("en", "wordnet-base"), ("es", "mythes-es")):
        with pytest.raises(MachineError) as error:
            thesaurus.synonyms(language)
        assert error.value.do == f"apt-get install {package}"
    with pytest.raises(MachineError) as error:
        apertium.translate(["a"], "en", "es")
    assert "apt-get install apertium-eng-spa" in error.value.do
    thesaurus.synonyms.cache_clear()


# ---------------------------------------------------------------------------- the real ones


@pytest.mark.skipif(not thesaurus.WORDNET[0].is_dir(), reason="wordnet-base is not installed")
def test_wordnet_as_debian_has_it() -> None:
    words = thesaurus.synonyms("en")
    assert len(words) > 20_000
    assert "automobile" in words["car"] and "the" not in words
    assert "purchase" in words["buy"]
    assert all(other.islower() for others in words.values() for other in others)


@pytest.mark.skipif(not thesaurus.MYTHES[0].is_dir(), reason="mythes-es is not installed")
def test_the_spanish_thesaurus_as_debian_has_it() -> None:
    words = thesaurus.synonyms("es")
    assert len(words) > 8_000
    assert {"vivienda", "residencia"} <= set(words["casa"]) and "apartamento" not in words["casa"]


@pytest.mark.skipif(not apertium.MODES.is_dir(), reason="apertium is not installed")
def test_apertium_keeps_lines_and_signs_apart() -> None:
    texts = ["I lost my card.\nWhere is it?", "", "pay 5 % [now] <b>^x$</b> \\ /", "hello"]
    there = apertium.translate(texts, "en", "es")
    assert len(there) == 4 and there[0].count("\n") == 1 and there[1] == ""
    assert "Perdí mi" in there[0] and "<b>^" in there[2]
    train = [
        labelled("where can I buy a house with a garden"),
        labelled("I lost the key of my car"),
    ]
    made = made_of(train, by=("back_translation",), translate=apertium.translate)
    assert {normal_input(row) for row in made.rows}.isdisjoint(map(normal_input, train))
