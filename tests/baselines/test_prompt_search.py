"""The search finds the better prompt, within its budget, on validation rows alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from afina.baselines import build
from afina.baselines.prompt_search import Candidate, Searched, calls_needed, halve
from afina.baselines.request import Request
from afina.errors import DataError
from afina.evaluate import SCORERS
from afina.models.sources import Base
from afina.recipe import Evaluate, Goal
from afina.tasks import Generate
from afina.types import Answer
from tests.baselines.test_baselines import commands, questions
from tests.evaluate.candidates import Fixed, FixedLikelihood, chats, number
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
ROWS = chats([f"answer {i}" for i in range(40)])


def known(numbered: int, right: float) -> Candidate:
    """A prompt whose first answers of every ten are right, as many as ``right`` says."""

    def answer(question: str) -> Answer:
        i = number(question)
        return Answer(text=f"answer {i}" if i % 10 < 10 * right else "no")

    predictor = Fixed(f"p{numbered}", answer)
    return Candidate(numbered, "", (), "none", cast(Any, predictor))


def request(**settings: Any) -> Request:
    task = Generate(answer="text")
    return Request(task, tuple(ROWS), None, Evaluate(**settings), seed=7, validation=tuple(ROWS))


def test_the_best_prompt_is_found_with_the_answers_that_were_reckoned() -> None:
    candidates = [known(i, right) for i, right in enumerate([0.2, 0.5, 0.3, 0.9, 0.6, 0.1])]
    best, calls = halve(request(), SCORERS["exact_match"], candidates, ROWS, 10)
    assert best.number == 3
    assert best.value == pytest.approx(0.9)
    assert calls == calls_needed(6, 10, 40) == 60 + 30 + 40
    asked = [len(cast(Fixed, c.predictor).seen) for c in candidates]
    assert sum(asked) == calls
    assert asked[5] == 10 and asked[3] == 40


def test_of_equals_the_earlier_prompt_stays() -> None:
    candidates = [known(i, 0.5) for i in range(4)]
    assert halve(request(), SCORERS["exact_match"], candidates, ROWS, 8)[0].number == 0


def test_of_equals_the_one_that_comes_closer_is_taken() -> None:
    wrong = ["no", "zzz", "answer: {}", "xyz"]
    candidates = [
        Candidate(
            i, "", (), "none",
            cast(Any, Fixed(f"p{i}", lambda q, t=text: Answer(t.format(number(q))))),
        )
        for i, text in enumerate(wrong)
    ]  # fmt: skip
    best, _ = halve(request(), SCORERS["exact_match"], candidates, ROWS, 8)
    assert (best.number, best.value) == (2, 0.0)


def test_a_score_where_less_is_better() -> None:
    candidates = [
        Candidate(
            i, "", (), "none",
            cast(Any, FixedLikelihood(f"p{i}", lambda q: Answer(q), nats)),
        )
        for i, nats in enumerate([2.0, 0.5, 1.0])
    ]  # fmt: skip
    best, _ = halve(request(), SCORERS["perplexity"], candidates, ROWS, 8)
    assert best.number == 1


@pytest.fixture
def searched(tiny: Tiny) -> Callable[..., Searched]:
    train, validation = commands(24, 1), commands(16, 2)
    task = Generate(max_new_tokens=4).resolve(train)

    def make(**settings: Any) -> Searched:
        given = {"few_shot": 2, "search_calls": 60, **settings}
        found = build(
            "prompt_search",
            task=task,
            train=train,
            validation=validation,
            base=tiny("llama"),
            settings=Evaluate(**given),
            goal=Goal(metric="chrf"),
            device="cpu",
        )
        assert isinstance(found, Searched)
        return found

    return make


def test_a_search_over_a_real_base(searched: Callable[..., Searched]) -> None:
    found = searched(instructions=("Say it in JSON!",))
    told = found.describe()
    assert told["metric"] == "chrf"
    trials = told["trials"]
    assert trials[0]["examples"] == [] and len(trials[1]["examples"]) == 2
    last = max(trial["rows"] for trial in trials)
    assert max(t["value"] for t in trials if t["rows"] == last) == pytest.approx(
        next(t["value"] for t in trials if t["instruction"] == told["instruction"]
             and t["rows"] == last and len(t["examples"]) == told["examples"])
    )  # fmt: skip
    assert sum(trial["rows"] for trial in trials) <= 60
    again = searched(instructions=("Say it in JSON!",)).describe()
    assert {k: v for k, v in again.items() if k != "seconds_to_fit"} == {
        k: v for k, v in told.items() if k != "seconds_to_fit"
    }
    asked = questions(Generate(), commands(3, 5))
    assert all(a.prompt_tokens > told["head_tokens"] for a in found.predict(asked))


def test_wordings_of_ones_own_are_tried(searched: Callable[..., Searched]) -> None:
    own = tuple(f"own wording {i}" for i in range(40))
    trials = searched(instructions=own, search_calls=2000).describe()["trials"]
    assert any(trial["instruction"] in own for trial in trials)


def test_a_budget_that_allows_no_choice_is_refused(searched: Callable[..., Searched]) -> None:
    with pytest.raises(DataError, match="too few") as caught:
        searched(search_calls=20)
    assert caught.value.where == "evaluate.search_calls"


def test_without_validation_rows_nothing_is_chosen(tiny: Tiny) -> None:
    train = commands(12, 1)
    with pytest.raises(DataError, match="validation"):
        build("prompt_search", task=Generate().resolve(train), train=train, base=tiny("llama"))
