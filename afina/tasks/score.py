"""Scoring: give a conversation a number, the higher the better its answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, cast

from afina.errors import RequestError
from afina.tasks.pooled import Pooled
from afina.types import (
    Answer,
    ChatExample,
    Encoded,
    Example,
    Input,
    PreferenceExample,
    Renderer,
    Targets,
)


class Score(Pooled):
    """Give the last answer of a conversation a number: a reward model."""

    name: Literal["score"] = "score"
    accepts: ClassVar[tuple[type[Example], ...]] = (PreferenceExample,)
    usual_objective: ClassVar[str] = "reward"
    serves: ClassVar[tuple[str, ...]] = ("score",)
    judges_answer: ClassVar[bool] = True

    @property
    def targets(self) -> Targets:
        return "nothing"

    @property
    def outputs(self) -> int:
        return 1

    def resolve(self, examples: Sequence[Example]) -> Score:
        return self

    def question(self, example: Example) -> Input:
        row = _better(example)
        return Input(row.messages, row.tools)

    def gold(self, example: Example) -> Answer:
        return Answer(text="")

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """A preference pair is the better conversation, and the worse one beside it."""
        own = Encoded(example.id, self.prompt(self.question(example), renderer), ())
        if not isinstance(example, PreferenceExample):
            return own
        worse = Input(example.worse.messages, example.tools)
        other = Encoded(example.id, self.prompt(worse, renderer), (), worth=-1.0)
        return Encoded(own.row, own.ids, (), (other,))

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        """The whole conversation; for a base that writes no text, its turns as bare text.

        Raises RequestError for a conversation that does not end in an answer.
        """
        if not given.messages or given.messages[-1].role != "assistant":
            raise RequestError(
                "there is no answer to judge",
                where="messages",
                do="end the conversation with a turn of the assistant",
            )
        if not renderer.stop_ids:
            return renderer.text("\n".join(m.content for m in given.messages))
        return renderer.conversation(given.messages, given.tools).ids

    def from_scores(self, scores: Sequence[float], prompt_tokens: int = 0) -> Answer:
        return Answer(text=f"{scores[0]:.4f}", number=scores[0], prompt_tokens=prompt_tokens)

    def scorers(self) -> tuple[str, ...]:
        return ("preference_accuracy",)

    def baselines(self) -> tuple[str, ...]:
        return ("longer", "base")


def _better(example: Example) -> ChatExample:
    if isinstance(example, PreferenceExample):
        return example.better
    return cast(ChatExample, example)
