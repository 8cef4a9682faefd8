"""The reward of a policy run, asked of answers that were written after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from afina.objectives import Policy
from afina.recipe import Recipe
from afina.types import Answer, Input, Message

if TYPE_CHECKING:
    from afina.evaluate.finding import Rate
    from afina.store import Run


def rate_of(recipe: Recipe, run: Run) -> Rate | None:
    """What the run's objective gives for an answer; None where it learns by no reward.

    A reward model is opened when it is asked. Raises then what a run without a model raises.
    """
    objective = recipe.objective
    if not isinstance(objective, Policy):
        return None

    def by_rule(_: Sequence[Input], said: Sequence[Answer], right: Sequence[Answer]) -> list[float]:
        return [objective.judge(a.text, g.text) for a, g in zip(said, right, strict=True)]

    def by_model(
        asked: Sequence[Input], said: Sequence[Answer], _: Sequence[Answer]
    ) -> list[float]:
        from afina.models.predictor import TunedModel
        from afina.store import Run as Stored

        judge = TunedModel.open(Stored.open(run.home, str(objective.reward_model)).model_folder)
        whole = [
            replace(given, messages=(*given.messages, Message("assistant", answer.text)))
            for given, answer in zip(asked, said, strict=True)
        ]
        return [float(found.number or 0.0) for found in judge.predict(whole)]

    return by_rule if objective.reward_model is None else by_model
