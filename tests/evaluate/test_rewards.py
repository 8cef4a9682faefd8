"""Mean rewards and the win rate over the model that a policy began as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from afina.evaluate.asking import Measured
from afina.evaluate.finding import Finding, Material
from afina.evaluate.rewards import find
from afina.tasks import Generate
from afina.types import Answer, ChatExample, Input, Message
from tests.evaluate.materials import material

TASK = Generate(answer="text")
ROWS = [
    ChatExample(
        id=f"r{i}", where=f"row {i}", messages=(Message("user", f"q{i}"), Message("assistant", "x"))
    )
    for i in range(20)
]


def length(_: Sequence[Input], said: Sequence[Answer], __: Sequence[Answer]) -> list[float]:
    return [float(len(answer.text)) for answer in said]


def found(own: Sequence[str], **others: Sequence[str]) -> Finding:
    made = material(TASK, ROWS, [Answer(text) for text in own], metric="exact_match")
    said = [Measured(n, answers=[Answer(text) for text in each]) for n, each in others.items()]
    whole: Material = replace(made, measured=[*made.measured, *said], rate=length)
    result = find(whole)
    assert result is not None
    return result


def test_wins_count_ties_as_halves_and_are_tested() -> None:
    one = found(["aaaa"] * 16 + ["a"] * 4, nearest=["aaaa"] * 20, base=["aa"] * 16 + ["a"] * 4)
    rows = {row["candidate"]: row for row in one.rows}
    assert rows["tuned"]["mean_reward"]["value"] == pytest.approx(3.4)
    assert "win_rate" not in rows["tuned"]
    assert rows["base"]["win_rate"]["value"] == pytest.approx(0.9)  # 16 wins, 4 ties
    assert rows["base"]["p_value"] == pytest.approx(2 * 0.5**16)
    assert rows["nearest"]["win_rate"]["value"] == pytest.approx(0.4)
    (said,) = one.statements
    assert said.code == "rewards_told"
    assert "tuned 3.400, base 1.800" in said.say("en") and "90.0" in said.say("en")
    assert "tuned 3,400, base 1,800" in said.say("es")


@pytest.mark.parametrize(
    ("own", "base", "code"),
    [
        (["a"] * 20, ["aa"] * 20, "rewards_told"),
        (["a"] * 20, None, "rewards_alone"),
    ],
)
def test_what_is_said(own: list[str], base: list[str] | None, code: str) -> None:
    one = found(own, **({} if base is None else {"base": base}))
    assert one.statements[0].code == code
    for language in ("en", "es"):
        assert "{" not in one.statements[0].say(language)
    assert Finding.from_dict(one.as_dict()) == one


def test_nothing_is_said_where_nothing_was_rewarded() -> None:
    made = material(TASK, ROWS, [Answer("x")] * 20, metric="exact_match")
    assert find(made) is None
