"""Which rows are shown: drawn by the seed, or those most like the question."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from afina.baselines import build
from afina.baselines.few_shot_nearest import NearestShots
from afina.errors import ModelError
from afina.models.sources import Base
from afina.recipe import Evaluate
from afina.tasks import Classify, Generate
from afina.types import ChatExample, Example, Input, Likelihood, Message
from tests.baselines.test_baselines import commands, labelled, questions, several
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


def near(tiny: Tiny, train: list[Example], count: int = 2, **knobs: int) -> NearestShots:
    task = Generate(max_new_tokens=knobs.get("max_new_tokens", 8)).resolve(train)
    found = build(
        "few_shot_nearest",
        task=task,
        train=train,
        base=tiny("llama"),
        settings=Evaluate(few_shot=count),
        device="cpu",
    )
    assert isinstance(found, NearestShots)
    return found


def test_the_most_similar_rows_are_shown_the_best_last(tiny: Tiny) -> None:
    train = commands(24, 1)
    predictor = near(tiny, train)
    wanted = train[5]
    assert isinstance(wanted, ChatExample)
    (shown,) = predictor.shown([Input((Message("system", "s"), wanted.messages[0]))])
    assert [m.role for m in shown.messages] == ["system", *["user", "assistant"] * 2, "user"]
    assert shown.messages[3].content == wanted.messages[0].content
    assert shown.messages[4].content == wanted.messages[1].content
    assert all(m.weight == 0 for m in shown.messages if m.role == "assistant")


def test_the_answers_are_those_of_the_base_behind_that_prompt(tiny: Tiny) -> None:
    train, test = commands(24, 1), commands(3, 2)
    predictor = near(tiny, train)
    asked = questions(Generate(max_new_tokens=8), test)
    answers = predictor.predict(asked)
    for answer, given in zip(answers, predictor.shown(asked), strict=True):
        assert answer.prompt_tokens == len(predictor.behind.prompt(given))
        assert answer == predictor.behind.predict([given])[0]
    assert isinstance(predictor, Likelihood)
    losses = predictor.negative_log_likelihood(test)
    only = [len(predictor.behind.model.renderer.conversation(t.messages).ids) for t in test]  # type: ignore[attr-defined]
    assert all(0 < count < most for (_, count), most in zip(losses, only, strict=True))


def test_rows_that_do_not_fit_are_left_out_and_counted(tiny: Tiny) -> None:
    predictor = near(tiny, commands(40, 1), count=30)
    asked = questions(Generate(), commands(3, 2))
    shown = predictor.shown(asked)
    examples = [(len(given.messages) - 1) // 2 for given in shown]
    assert all(1 <= n < 30 for n in examples)
    assert predictor.left_out == 90 - sum(examples)
    assert len(predictor.predict(asked)) == 3


@pytest.mark.parametrize("name", ["few_shot_nearest", "few_shot_random"])
def test_labels_get_probabilities(tiny: Tiny, name: str) -> None:
    train, test = labelled(30, 1), labelled(6, 2)
    task = Classify().resolve(train)
    predictor = build(name, task=task, train=train, base=tiny("llama"), device="cpu")
    for answer in predictor.predict(questions(task, test)):
        assert answer.probabilities is not None
        assert set(answer.probabilities) == set(task.known_labels)
    assert not isinstance(predictor, Likelihood)


def test_random_rows_follow_the_seed(tiny: Tiny) -> None:
    train = commands(30, 1)
    task = Generate(max_new_tokens=8).resolve(train)
    shots = {
        seed: [
            build("few_shot_random", task=task, train=train, base=tiny("llama"), seed=seed,
                  settings=Evaluate(few_shot=3), device="cpu").predictor.shots  # type: ignore[attr-defined]
            for _ in range(2)
        ]
        for seed in (1, 2)
    }  # fmt: skip
    assert shots[1][0] == shots[1][1]
    assert shots[1][0] != shots[2][0]


@pytest.mark.parametrize("name", ["few_shot_nearest", "few_shot_random", "prompt_search"])
def test_what_a_prompt_cannot_ask_is_said(tiny: Tiny, name: str) -> None:
    rows = labelled(12, 1)
    task = Classify().resolve(rows)
    with pytest.raises(ModelError, match="is an encoder"):
        build(name, task=task, train=rows, validation=rows, base=tiny("minilm"), device="cpu")
    many = several(12, 1)
    task = Classify().resolve(many)
    made = build(name, task=task, train=many, validation=many, base=tiny("llama"), device="cpu")
    assert len(made.predict(questions(task, many[:2]))) == 2
