"""Agreement: the published examples, scikit-learn as oracle, and what is undefined."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from afina.evaluate.agreement import agreements, cohen, fleiss, krippendorff, majority

FLEISS_1971 = (
    "00 00 00 00 14|0 2 6 4 2|0 0 3 5 6|0 3 9 2 0|2 2 8 1 1|7 7 0 0 0|3 2 6 3 0|2 5 3 2 2|6 5 2 1 0|"
    "0 2 2 3 7"
)
"""Ten subjects, fourteen raters, five categories; kappa 0.210."""


def answers(text: str) -> dict[str, str]:
    return {str(i): x for i, x in enumerate(text) if x != "*"}


def test_cohen_is_that_of_scikit_learn() -> None:
    dice = Random(3)
    first = "".join(dice.choice("abc") for _ in range(80))
    second = "".join(x if dice.random() < 0.6 else dice.choice("abc") for x in first)
    found = cohen(("ana", answers(first)), ("luis", answers(second)), 0.95, 1)
    assert found.value == pytest.approx(cohen_kappa_score(list(first), list(second)))
    assert found.low is not None and found.high is not None and found.value is not None
    assert 0 < found.low < found.value < found.high < 1
    assert found.shown and found.judges == ("ana", "luis") and found.rows == 80


def test_the_interval_of_kappa_holds_the_true_value_about_as_often_as_it_says() -> None:
    dice = Random(5)
    held = 0
    for _ in range(100):
        first = [dice.choice("ab") for _ in range(60)]
        second = [x if dice.random() < 0.5 else dice.choice("ab") for x in first]  # kappa 0.5
        pair = [answers("".join(x)) for x in (first, second)]
        found = cohen(("a", pair[0]), ("b", pair[1]), 0.9, 1)
        assert found.low is not None and found.high is not None
        held += found.low <= 0.5 <= found.high
    assert 82 <= held <= 97


def test_fleiss_published_example() -> None:
    table = [[int(n) for n in row.split()] for row in FLEISS_1971.split("|")]
    judges: dict[str, dict[str, str]] = {str(j): {} for j in range(14)}
    for i, counts in enumerate(table):
        given = [str(c) for c, n in enumerate(counts) for _ in range(n)]
        for j, answer in enumerate(given):
            judges[str(j)][str(i)] = answer
    found = fleiss(judges, 0.95, 1)
    assert found.value == pytest.approx(0.210, abs=5e-4)


def test_krippendorff_published_example_with_gaps() -> None:
    # The example of Krippendorff (2011): three coders, fifteen units, with gaps.
    rows = {
        "A": "* * * * * 3 4 1 2 1 1 3 3 * 3",
        "B": "1 * 2 1 3 3 4 3 * * * * * * *",
        "C": "* * 2 1 3 4 4 * 2 1 1 3 3 * 4",
    }
    judges = {name: answers(text.replace(" ", "")) for name, text in rows.items()}
    found = krippendorff(judges, 0.95, 1)
    assert found.value == pytest.approx(0.691, abs=5e-4)
    assert found.rows == 12  # of fifteen: three have one answer or none


def test_full_agreement_is_not_certain_and_one_answer_alone_tells_nothing() -> None:
    same = answers("abababab")
    found = cohen(("a", same), ("b", dict(same)), 0.95, 1)
    assert found.value == 1 and found.low is not None and 0 < found.low < 1
    only = cohen(("a", answers("aaaa")), ("b", answers("aaaa")), 0.95, 1)
    assert (only.value, only.low, only.shown) == (None, None, False)
    apart = cohen(("a", answers("abab")), ("b", answers("baba")), 0.95, 1)
    assert apart.value == -1 and not apart.shown
    assert cohen(("a", {"1": "x"}), ("b", {"2": "x"}), 0.95, 1).value is None


def test_chance_is_not_agreement() -> None:
    dice = np.random.default_rng(4)
    judges = {name: answers("".join(dice.choice(list("aab"), 400))) for name in ("a", "b", "c")}
    found = agreements(judges)
    assert [f.measure for f in found] == [
        *["cohen_kappa"] * 3,
        "fleiss_kappa",
        "krippendorff_alpha",
    ]
    for one in found:
        assert one.value is not None and abs(one.value) < 0.12 and not one.shown


def test_majority_and_what_has_none() -> None:
    judges = {"a": {"1": "x", "2": "x"}, "b": {"1": "x", "2": "y"}, "c": {"1": "y"}}
    assert majority(judges) == {"1": "x", "2": None}
