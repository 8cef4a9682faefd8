"""The blind form: what it hides, what comes back, and what its page may do."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from base64 import b64encode
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from afina.data.sheets import as_csv, as_lines
from afina.errors import CorruptError, DataError
from afina.evaluate.blind import Filled, Key, make_key, read_filled, read_key, rows_of
from afina.evaluate.blind_page import WORDS, blind_page
from afina.evaluate.model_judge import ask_model
from afina.evaluate.preferred import in_terms, judged
from afina.types import Answer
from tests.evaluate.candidates import Fixed
from tests.evaluate.test_page import ATTACKS

N = 40


def key_of(rows: int = N, people: int | None = None, seed: int = 3) -> Key:
    """``tuned`` says good things; one row in ten has equal answers."""
    good = [f"good {i}" for i in range(rows)]
    bad = [g if i % 10 == 0 else f"bad {i}" for i, g in enumerate(good)]
    questions = [f"=1+{i}; what?\nsecond line" for i in range(rows)]
    return make_key(questions, ("tuned", good), ("zero_shot", bad), seed=seed, people=people)


def fill(key: Key, likes: Callable[[str, str], bool], judge: str = "ana") -> Filled:
    return Filled(judge, {i.item: "a" if likes(i.a, i.b) else "b" for i in key.asked})


def likes_good(a: str, b: str) -> bool:
    return a.startswith("good")


def test_sides_and_rows_are_shuffled_by_the_seed_and_the_form_tells_nothing() -> None:
    key = key_of()
    sides = [item.first_is for item in key.items]
    assert 8 <= sides.count("a") <= 28 and len(sides) == 36 and key.identical == 4
    assert key == key_of() and key != key_of(seed=4)
    numbers = [int(re.findall(r"\d+", item.a)[0]) for item in key.items]
    assert numbers != sorted(numbers)
    for text in (blind_page(key, "en"), as_csv(rows_of(key)), json.dumps(rows_of(key))):
        assert "tuned" not in text and "zero_shot" not in text and "first_is" not in text


def test_equal_answers_leave_nothing_to_judge() -> None:
    with pytest.raises(DataError, match="the same 2 answers"):
        make_key(["a", "b"], ("tuned", ["x", "y"]), ("base", ["x ", "y"]), seed=1)


def test_the_key_comes_back_and_a_changed_one_is_refused(tmp_path: Path) -> None:
    key = key_of()
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key.as_dict()), "utf-8")
    assert read_key(path) == key
    flipped = path.read_text("utf-8").replace('"first_is": "a"', '"first_is": "b"', 1)
    for text in (flipped, "[]", "{", path.read_text("utf-8").replace("good 3", "bad 3")):
        path.write_text(text, "utf-8")
        with pytest.raises(CorruptError):
            read_key(path)
    with pytest.raises(DataError, match="cannot be read"):
        read_key(tmp_path / "none.json")


# ---------------------------------------------------------------------------- what comes back


def table(key: Key, choice: str = "a") -> list[dict[str, str]]:
    return [{**row, "choice": choice} for row in rows_of(key)]


def sheet(rows: Sequence[dict[str, str]], delimiter: str = ",") -> str:
    """As a spreadsheet saves it: its own separator and line ends, apostrophes as it found them."""
    found = list(csv.DictReader(io.StringIO(as_csv(rows).removeprefix("\ufeff"), newline="")))
    out = io.StringIO()
    writer = csv.DictWriter(out, list(found[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(found)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("luis.csv", lambda k: sheet(table(k, " A "))),
        ("luis.csv", lambda k: "\ufeff" + sheet(table(k, "a"), ";")),
        ("luis.jsonl", lambda k: "\n".join(map(json.dumps, table(k)))),
        (
            "saved.json",
            lambda k: json.dumps(
                {"form": k.form, "judge": "luis", "choices": {i.item: "a" for i in k.asked}}
            ),
        ),
    ],
)
def test_every_form_of_the_form_comes_back(
    name: str, text: Callable[[Key], str], tmp_path: Path
) -> None:
    key = key_of(people=12)
    path = tmp_path / name
    path.write_text(text(key), "utf-8", newline="")
    filled = read_filled(path, key)
    assert filled.judge == "luis"
    assert filled.choices == {item.item: "a" for item in key.asked} and len(filled.choices) == 12


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("text", ["a\u2028b\x85c", "long " * 40_000, "\t=1+1", "x\ry\r\nz"])
def test_a_form_of_any_text_comes_back(suffix: str, text: str, tmp_path: Path) -> None:
    key = make_key([text], ("tuned", ["one"]), ("base", ["two"]), seed=1)
    path = tmp_path / f"ana{suffix}"
    path.write_text((as_csv if suffix == ".csv" else as_lines)(table(key)), "utf-8", newline="")
    assert read_filled(path, key).choices == {"1": "a"}


def test_no_cell_of_a_form_is_worked_out_by_a_spreadsheet() -> None:
    rows = csv.reader(io.StringIO(as_csv([{"a": f"{c}1+1"} for c in "=+-@\t\r\n"]), newline=""))
    assert [row[0][0] for row in list(rows)[1:]] == ["'"] * 7


def changed(rows: list[dict[str, str]], number: int, **values: str) -> list[dict[str, str]]:
    return [{**row, **values} if i == number else row for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        ("x.csv", lambda k: sheet(changed(table(k), 3, choice="")), "have no choice"),
        ("x.csv", lambda k: sheet(table(k)[1:]), "1 of 36 items have no choice: 1"),
        ("x.csv", lambda k: sheet(changed(table(k), 3, choice="both")), "the choice is 'both'"),
        ("x.csv", lambda k: sheet(changed(table(k), 3, a="better")), "column a was changed"),
        ("x.csv", lambda k: sheet(changed(table(k), 3, question="?")), "question was changed"),
        ("x.csv", lambda k: sheet(changed(table(k), 3, item="99")), "not of this form: 99"),
        ("x.csv", lambda k: sheet([*table(k), table(k)[0]]), "stand twice: 1"),
        ("x.csv", lambda k: sheet(table(key_of(seed=9))), "is not this form, filled in"),
        ("x.csv", lambda k: "no\nform", "is not this form, filled in"),
        ("x.csv", lambda k: "", "have no choice"),
        ("x.csv", lambda k: 'form,item\n"', "no filled form"),
        ("x.json", lambda k: "{}", "no filled form"),
        ("x.json", lambda k: json.dumps({"form": k.form, "judge": "x", "choices": {}}), "36 of 36"),
        ("x.jsonl", lambda k: "{", "no filled form"),
        ("x.jsonl", lambda k: "[1]", "no filled form"),
    ],
)
def test_what_was_tampered_with_or_is_incomplete_is_refused(
    name: str, text: Callable[[Key], str], what: str, tmp_path: Path
) -> None:
    key = key_of()
    path = tmp_path / name
    path.write_text(text(key), "utf-8", newline="")
    with pytest.raises(DataError) as error:
        read_filled(path, key)
    assert what in error.value.what and name in error.value.where and error.value.do


def test_cells_that_a_spreadsheet_would_work_out_are_marked() -> None:
    key = make_key(
        ["=HYPERLINK(1)", "@x", "'=quoted", "plain"],
        ("t", ["+1", "-2", "x", "'y"]),
        ("b", ["a", "b", "c", "d"]),
        seed=1,
    )
    cells = [c for row in csv.reader(io.StringIO(as_csv(rows_of(key)))) for c in row]
    assert not [c for c in cells if c[:1] in "=+-@" and c]


# ---------------------------------------------------------------------------- who won


def test_a_preferred_candidate_wins_and_ties_count_half() -> None:
    key = key_of()
    found = judged(key, [fill(key, likes_good)])
    assert found.winner == "tuned" and found.people is not None
    assert found.people.rate == pytest.approx(0.95)  # 36 wins, 4 rows with equal answers
    assert found.people.low < 0.95 < found.people.high <= 1
    assert (found.people.won, found.people.lost) == (36, 0)
    assert found.statements[0].code == "people_prefer"
    other = judged(key, [fill(key, lambda a, b: not likes_good(a, b))])
    assert other.winner == "zero_shot"
    ties = judged(key, [Filled("ana", {i.item: "tie" for i in key.asked})])
    assert ties.winner is None and ties.people is not None and ties.people.p_value == 1


def test_judges_who_toss_coins_show_nothing_about_as_often_as_the_confidence_says() -> None:
    key, dice, wrong = key_of(), Random(2), 0
    for _ in range(60):
        coin = Filled("coin", {i.item: dice.choice(("a", "b")) for i in key.asked})
        wrong += judged(key, [coin]).winner is not None
    assert wrong <= 6


def test_several_judges_agree_or_do_not() -> None:
    key, dice = key_of(), Random(2)
    like = [fill(key, likes_good, "ana"), fill(key, likes_good, "luis")]
    coin = Filled("eva", {i.item: dice.choice(("a", "b")) for i in key.asked})
    found = judged(key, [*like, coin])
    assert found.winner == "tuned"
    pairs = {a.judges: a for a in found.among_people if a.measure == "cohen_kappa"}
    # Both chose one candidate throughout: chance explains that, so there is no kappa.
    assert pairs["ana", "luis"].value is None
    assert not pairs["ana", "eva"].shown
    assert [a.measure for a in found.among_people][-2:] == ["fleiss_kappa", "krippendorff_alpha"]


# ---------------------------------------------------------------------------- a model as judge


def mixed_key(people: int | None = None) -> Key:
    """Each candidate is good in some rows: what kappa needs."""
    rows = 90
    mine = [f"{'good' if i % 3 else 'bad'} {i}" for i in range(rows)]
    other = [f"{'bad' if i % 3 else 'good'} {i}" for i in range(rows)]
    names = ("tuned", mine), ("base", other)
    return make_key([f"q {i}" for i in range(rows)], *names, seed=5, people=people)


def sees_good(question: str) -> Answer:
    first = question.index("Answer A:")
    return Answer("A" if "good" in question[first : question.index("Answer B:")] else "Answer B.")


def test_a_model_that_judges_as_people_do_may_decide_where_they_did_not_look() -> None:
    key = mixed_key(people=30)
    asked = ask_model(Fixed("judge", sees_good), key.items)
    assert (asked.swayed, asked.unreadable, len(asked.filled.choices)) == (0, 0, 90)
    found = judged(key, [fill(key, likes_good)], asked.filled)
    assert found.with_people is not None and found.with_people.value == 1
    assert found.with_people.rows == 30 and found.with_people.shown
    codes = [s.code for s in found.statements]
    assert codes[1:] == ["model_like_people", "model_prefers"] and found.winner == "tuned"
    assert found.model is not None and found.model.rows == 90


def test_a_model_that_likes_a_place_gives_ties_and_decides_nothing() -> None:
    key = mixed_key()
    asked = ask_model(Fixed("judge", lambda _: Answer("A, of course")), key.items)
    assert asked.swayed == 90 and set(asked.filled.choices.values()) == {"tie"}
    found = judged(key, [fill(key, likes_good)], asked.filled)
    assert found.statements[-1].code == "model_unlike_people"
    mute = ask_model(Fixed("judge", lambda _: Answer("I cannot say")), key.items)
    assert mute.unreadable == 180 and set(mute.filled.choices.values()) == {"tie"}


def test_without_people_a_model_decides_nothing_however_sure_it_is() -> None:
    key = key_of()
    asked = ask_model(Fixed("judge", sees_good), key.items)
    assert set(in_terms(key, asked.filled).values()) == {"first"}
    found = judged(key, [], asked.filled)
    assert found.winner is None and found.statements[0].code == "model_unchecked"
    assert found.model is not None and found.model.rate > 0.9


def test_a_model_against_people_is_overruled() -> None:
    key = mixed_key()
    asked = ask_model(
        Fixed("judge", lambda q: Answer("B" if sees_good(q).text == "A" else "A")), key.items
    )
    found = judged(key, [fill(key, likes_good)], asked.filled)
    assert found.winner == "tuned" and found.statements[-1].code == "model_unlike_people"


# ---------------------------------------------------------------------------- the page


def test_the_page_needs_nothing_else_and_runs_only_its_own_script() -> None:
    page = blind_page(key_of(), "es")
    assert '<html lang="es">' in page
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    allowed = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{allowed}'" in page
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", page)
    assert "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    for word in re.findall(r'data-word="(\w+)"', page) + re.findall(r'word\("(\w+)"\)', page):
        assert word in WORDS
    for english, spanish in WORDS.values():
        assert english and spanish and english != spanish


def data_of(page: str) -> Any:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page)
    return json.loads(data)


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_the_candidates_wrote_is_only_data(attack: str) -> None:
    key = make_key([attack], ("t", [attack + "!"]), ("b", ["b"]), seed=1)
    page = blind_page(key, "en")
    assert page.count("<script") == 2 and page.count("</script") == 2
    (item,) = data_of(page)["items"]
    assert item["question"] == attack and attack + "!" in (item["a"], item["b"])
