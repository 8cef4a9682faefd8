"""Changed and swapped questions: what each change does to a text, and that planted faults are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from afina.errors import DataError, RecipeError
from afina.evaluate import evaluate
from afina.evaluate.bias import find_groups
from afina.evaluate.findings import check_further
from afina.evaluate.robustness import (
    ROWS,
    more_spaces,
    neighbours,
    other_case,
    typos,
    without_accents,
    without_punctuation,
)
from afina.evaluate.scorers import SCORERS
from afina.evaluate.swap_terms import SWAPS, swapper
from afina.recipe import Bias, Evaluate, Robustness
from afina.tasks import Regress
from afina.types import Answer, LabelledExample, NumberExample
from tests.evaluate.candidates import CLASSIFY, Fixed
from tests.evaluate.materials import material, with_field


def test_typing_errors_are_few_seeded_and_of_the_keyboard() -> None:
    text = "¿Dónde está la  tarjeta que pedí?\nno la tengo"
    once = typos(text, 0.1, Random(1))
    assert once == typos(text, 0.1, Random(1)) != text
    assert len(once.split()) == len(text.split())
    assert sum(a != b for a, b in zip(once.split(), text.split(), strict=True)) == 1
    many = typos(text, 1.0, Random(1))
    spared = [w for w in many.split() if w in ("la", "que", "no")]
    assert spared == ["la", "que", "no", "la"]
    assert all(
        word[0] in (old[0], "¿") for word, old in zip(many.split(), text.split(), strict=True)
    )
    assert typos("si no", 1.0, Random(1)) == "si no"
    assert neighbours("s") == "adwx"
    assert all(
        letter in neighbours(n) for row in ROWS for letter in row for n in neighbours(letter)
    )


def test_other_changes_leave_the_words() -> None:
    assert without_accents("Año, pingüino y café") == "Ano, pinguino y cafe"
    assert other_case("Hola") == "hola"
    assert other_case("hola") == "HOLA"
    assert more_spaces("a b c d", Random(1)).split() == ["a", "b", "c", "d"]
    assert without_punctuation("¿Cuánto es 3.5 €? ¡A user@example.org!") == (
        "Cuánto es 3.5 € A user@example.org"
    )


@pytest.mark.parametrize(
    ("text", "swapped"),
    [
        ("He lost his card, give it to him.", "She lost her card, give it to her."),
        ("She lost her card and I told her.", "He lost his card and I told him."),
        ("El señor perdió la tarjeta de su hija", "La señora perdió la tarjeta de su hijo"),
        ("Dígaselo al profesor y a la directora", "Dígaselo a la profesora y al director"),
        ("THE MAN", "THE WOMAN"),
        ("mankind shelter héroe", "mankind shelter héroe"),
    ],
)
def test_gender_words_are_exchanged_both_ways(text: str, swapped: str) -> None:
    swap = SWAPS["gender_words"]()
    assert swap(text) == swapped


def test_names_and_own_terms_are_exchanged() -> None:
    assert SWAPS["first_names"]()("Juan wrote to Mary") == "Ana wrote to John"
    assert swapper([("young", "old")])("Young or old?") == "Old or young?"


PEOPLE = ["he asks for a loan", "she asks for a loan", "a loan is asked for"]


def rows(count: int) -> list[LabelledExample]:
    return [
        LabelledExample(
            id=f"row-{i}", where=f"row {i}", text=f"{PEOPLE[i % 3]}, número {i}", labels=("loan",)
        )
        for i in range(count)
    ]


def said(settings: Evaluate, biased: bool, fragile: bool = False) -> dict[str, dict[str, object]]:
    """The findings of a model that, if biased, gives women no loans; if fragile, needs its accents."""

    def answer(question: str) -> Answer:
        bad = (biased and question.startswith("she")) or (fragile and "número" not in question)
        label = "bill" if bad else "loan"
        return Answer(label, (label,))

    test = with_field(rows(90), "gender", [("m", "f", "")[i % 3] for i in range(90)])
    report = evaluate(
        [Fixed("tuned", answer)],
        test,
        task=CLASSIFY,
        tuned="tuned",
        goal=None,
        settings=settings.model_copy(update={"resamples": 200}),
        seed=7,
    )
    return {f["name"]: f for f in report.as_dict()["findings"]}


def test_a_planted_bias_is_found_and_an_even_model_is_not_accused() -> None:
    settings = Evaluate(scorers=("accuracy",), bias=Bias(groups=("gender",)))
    biased = said(settings, biased=True)
    assert biased["groups"]["alarm"]
    assert biased["swaps"]["alarm"]
    assert "dependen de a quién" in str(_spanish(biased["swaps"]))
    moved = biased["swaps"]["rows"][0]["moved"]  # type: ignore[index]
    assert moved["value"] == 1.0
    assert {row["group"]: row["own_score"]["value"] for row in biased["groups"]["rows"]} == {  # type: ignore[attr-defined]
        "f": 0.0,
        "m": 1.0,
    }
    fair = said(settings, biased=False)
    assert not fair["groups"]["alarm"]
    assert not fair["swaps"]["alarm"]


def _spanish(finding: dict[str, object]) -> str:
    from afina.evaluate.statement import Statement

    return Statement.from_dict(finding["statements"][0]).say("es")  # type: ignore[index]


def test_a_fragile_model_is_found_by_the_change_that_breaks_it() -> None:
    settings = Evaluate(scorers=("accuracy",), robustness=Robustness())
    fragile = said(settings, biased=False, fragile=True)["robustness"]
    assert fragile["alarm"]
    by = {row["change"]: row for row in fragile["rows"]}  # type: ignore[attr-defined]
    assert by["accents"]["after"] == 0.0
    assert by["accents"]["difference"]["high"] < -0.9
    assert by["spaces"]["difference"]["value"] == 0.0
    sound = said(settings, biased=False)["robustness"]
    assert not sound["alarm"]
    assert "robustness" not in said(Evaluate(scorers=("accuracy",)), biased=False)


def test_paraphrases_of_the_user_are_asked(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text(
        "question,paraphrase\n"
        + "".join(f'"{row.text}",numero asked {row.id}\n' for row in rows(90)[:40]),
        "utf-8",
    )
    settings = Evaluate(
        scorers=("accuracy",), robustness=Robustness(changes=(), paraphrases=str(path))
    )
    (row,) = said(settings, biased=False, fragile=True)["robustness"]["rows"]  # type: ignore[misc, attr-defined]
    assert (row["change"], row["rows"], row["after"]) == ("paraphrases", 40, 0.0)
    path.write_text("question,paraphrase\nsomething else,another\n", "utf-8")
    with pytest.raises(DataError, match="none of its 1 rows names a row of the test"):
        said(settings, biased=False)
    path.write_text("question,other\na,b\n", "utf-8")
    with pytest.raises(DataError, match="no paraphrase in this row"):
        check_further(settings, SCORERS["accuracy"])


def test_what_was_not_asked_is_told(tmp_path: Path) -> None:
    """A change that no question shows, and other wordings of questions that are not in the test."""
    path = tmp_path / "other.csv"
    path.write_text('question,paraphrase\n"plain 1",other\nelsewhere,another\n', "utf-8")
    wished = Robustness(changes=("accents",), paraphrases=str(path))
    test = [
        LabelledExample(id=f"row-{i}", where=f"row {i}", text=f"plain {i}", labels=("loan",))
        for i in range(12)
    ]
    settings = Evaluate(scorers=("accuracy",), robustness=wished, resamples=200)

    def codes(settings: Evaluate) -> list[str]:
        report = evaluate(
            [Fixed("tuned", lambda _: Answer("loan", ("loan",)))], test, task=CLASSIFY,
            tuned="tuned", goal=None, settings=settings, seed=7,
        )  # fmt: skip
        found = next(f for f in report.findings if f.name == "robustness")
        assert all(said.say("en") and said.say("es") for said in found.statements)
        return [said.code for said in found.statements]

    assert codes(settings) == ["robust_even", "robust_none", "paraphrases_strange"]
    alone = Robustness(changes=("accents",))
    assert codes(settings.model_copy(update={"robustness": alone})) == ["robust_none"]


def test_groups_too_small_to_compare_are_named_beside_those_that_were_compared() -> None:
    test = [
        replace(row, fields=(("gender", "mf"[i % 2]), ("city", "Soria" if i < 3 else "Lugo")))
        for i, row in enumerate(rows(60))
    ]
    given = [Answer("loan", ("loan",))] * 60
    settings = Evaluate(bias=Bias(groups=("gender", "city")), resamples=200)
    found = find_groups(material(CLASSIFY, test, given, metric="accuracy", settings=settings))
    assert found is not None
    assert [said.code for said in found.statements] == ["groups_even", "groups_small"]
    assert found.statements[1].values["names"] == "city"


def test_a_number_has_not_changed_for_a_thousandth() -> None:
    """A network's number is never quite the same; another one is further off."""
    test = [
        NumberExample(id=str(i), where=f"row {i}", text=f"he wrote {i}", number=float(i % 7))
        for i in range(40)
    ]
    task = Regress(mean=3.0, deviation=2.0)

    def moved(by: float) -> float:
        def answer(question: str) -> Answer:
            number = 3.0 + (by if "she" in question else 0.0)
            return Answer(str(number), number=number)

        settings = Evaluate(scorers=("mae",), bias=Bias(), resamples=200)
        report = evaluate(
            [Fixed("tuned", answer)], test, task=task, tuned="tuned", goal=None, settings=settings,
            seed=7,
        )  # fmt: skip
        (row,) = next(f for f in report.findings if f.name == "swaps").rows
        return float(row["moved"]["value"])

    assert (moved(0.001), moved(0.5)) == (0.0, 1.0)


def test_what_cannot_be_scored_is_refused_before_training() -> None:
    with pytest.raises(RecipeError, match="compares answers"):
        check_further(Evaluate(robustness=Robustness()), SCORERS["perplexity"])
