"""Personal data: kinds planted in real and made text are found; real text raises few alarms."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from afina.data.personal import KINDS, masked, plain, scan
from tests.data.planted import SHARED, banking, made
from tests.data.planted_people import CHECKED, PEOPLE

EACH = 300


def around(name: str) -> list[str]:
    if name == "made":
        return [text for text, _ in made(400)]
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")
    if name == "banking77":
        return [text for text, _ in banking()]
    return list(spanish_news())


def spanish_news() -> Iterator[str]:
    words: list[str] = []
    for line in (SHARED / "conll2002-es/esp.train").read_text("utf-8").splitlines():
        if line.strip():
            words.append(line.split()[0])
        elif words:
            yield " ".join(words)
            words = []


def test_there_are_at_least_twelve_kinds_and_each_can_be_planted() -> None:
    assert {kind.name for kind in KINDS} == set(PEOPLE)
    assert len(KINDS) >= 12
    assert {kind.name for kind in KINDS if kind.checked} == set(CHECKED)


@pytest.mark.parametrize("name", ["made", "banking77", "conll2002-es"])
@pytest.mark.parametrize("kind", PEOPLE)
def test_planted_data_are_found(kind: str, name: str) -> None:
    """Recall at least 0.95, as that kind and over the whole value, amid text of others."""
    dice = random.Random(f"{kind} {name}")
    texts = around(name)
    found = 0
    for _ in range(EACH):
        words = dice.choice(texts).split()
        at = dice.randrange(len(words) + 1)
        value = PEOPLE[kind](dice)
        before = "".join(f"{word} " for word in words[:at])
        after = dice.choice(["", ".", ","]) + "".join(f" {word}" for word in words[at:])
        text = before + value + after
        start, end = len(before), len(before) + len(value)
        found += any(
            hit.kind == kind and hit.start < end and hit.end >= end and hit.end > start
            for hit in scan(text)
        )
    assert found / EACH >= 0.95


@pytest.mark.parametrize("name", ["made", "banking77", "conll2002-es"])
def test_real_text_raises_few_alarms(name: str) -> None:
    """Per thousand texts; in the news the addresses, telephones and the birthday are real ones."""
    texts = around(name)
    alarms = Counter(hit.kind for text in texts for hit in scan(text))
    assert sum(alarms[kind] for kind in CHECKED) == 0
    assert sum(alarms.values()) <= len(texts) / 1000


def test_school_mathematics_is_not_personal() -> None:
    if not SHARED.is_dir():
        pytest.skip("the published data sets are not here")
    lines = (SHARED / "gsm8k/train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [hit for row in rows for hit in scan(row["answer"])] == []


@pytest.mark.parametrize(
    "text",
    [
        "ES91 2100 0418 4502 0005 1333",  # one digit wrong
        "4111 1111 1111 1112",
        "12345678A",
        "X1234567A",
        "A12345678 ",
        "28 12345678 11",
        "000-12-3456 666-12-3456 912-12-3456",
        "256.1.1.1 and version 1.2.3.4",
        "at 12:30:45 std::vector a::b",
        "3,000,000 people in 2019-2020, 12.345.678 euros",
        "order 1234567890123456",
        "on 12/05/1980 the shop was opened",
        "a@b and @name",
        "the main road 23 kilometres away",
    ],
)
def test_what_only_looks_like_it_is_left(text: str) -> None:
    assert scan(text) == []


def test_two_next_to_each_other_are_two() -> None:
    text = (
        "card 4111 1111 1111 1111 12/28, ES91 2100 0418 4502 0005 1332 12345678Z, +34 600 111 222"
    )
    found = [(hit.kind, text[hit.start : hit.end]) for hit in scan(text)]
    assert found == [
        ("card", "4111 1111 1111 1111"),
        ("iban", "ES91 2100 0418 4502 0005 1332"),
        ("dni", "12345678Z"),
        ("phone", "+34 600 111 222"),
    ]


def test_one_value_in_two_forms_is_one_value() -> None:
    assert plain("iban", "es91 2100 0418 4502 0005 1332") == plain(
        "iban", "ES9121000418450200051332"
    )
    assert plain("phone", "+34 600 111 222") == plain("phone", "600111222")
    assert plain("dni", "12.345.678-z") == "12345678Z"
    assert plain("email", "Ana@Example.com") == "ana@example.com"


def test_a_value_is_never_shown_whole() -> None:
    dice = random.Random(1)
    for make in PEOPLE.values():
        value = make(dice)
        assert value not in masked(value)
        assert len(masked(value).split("…")[0]) == 2
    assert [masked(name).split("…")[0] for name in ("Li", "Ana", "Isabel")] == ["", "A", "Is"]


@pytest.mark.parametrize("length", [200, 20_000])
@pytest.mark.parametrize(
    "unit", ["1", "1 ", "a@", "1.", "Calle A ", "A1:", "ES12 ", "x.", "+3", "@a."]
)
def test_no_text_takes_for_ever(unit: str, length: int) -> None:
    """The work grows with the text, not with its square: 20,000 characters within a second or so."""
    import time

    begin = time.process_time()
    scan(unit * (length // len(unit)))
    assert time.process_time() - begin < 3
