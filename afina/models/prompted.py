"""An untuned base that is told what to do in its prompt: with an instruction, with examples.

The same renderer, the same decoding and the same likelihood as the tuned model, so that the only
difference between the two is the tuning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, cast

from afina.errors import DataError
from afina.models.choose import choose, tree_size, write_one
from afina.models.label_texts import SEPARATOR, label_texts, labels_in
from afina.models.likelihood import answer_losses_behind_head, check_fits
from afina.models.load import Model
from afina.models.predictor import MAX_NEW_TOKENS, write_answers
from afina.tasks import Classify, Generate
from afina.types import IGNORED, Answer, Encoded, Example, Input, Message, Rendered

MOST_LABEL_TOKENS = 64
"""Tokens of all labels up to which each of them gets its probability."""


class PromptedBase:
    """A Predictor over an untuned decoder. Every prompt has the same head: instruction and shots.

    ``instruction`` is added to the task's system message; ``shots`` are conversations shown before
    the question, each ending in its answer. For a task that classifies, the answer is the label
    that the model finds most probable; where they are many, the one that it writes when it can
    write nothing but labels (without probabilities). Where a text may have several, it writes freely,
    and the labels that it names count.
    """

    def __init__(
        self,
        model: Model,
        *,
        name: str,
        instruction: str = "",
        shots: Sequence[Sequence[Message]] = (),
        classify: Classify | None = None,
        batch_size: int | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        self.model = model
        self.name = name
        self.instruction = instruction
        self.shots = tuple(tuple(_unweighted(m) for m in shot) for shot in shots)
        self.classify = classify
        self.batch_size = batch_size
        self.notes = tuple(notes)
        self.seconds_to_fit = 0.0

    @property
    def task(self) -> Generate:
        return cast(Generate, self.model.task)

    def describe(self) -> dict[str, Any]:
        """What answers, and what it costs before the question is even asked."""
        return {
            "kind": self.name,
            "what": f"{self.model.base.name}, untuned, {len(self.shots)} examples in its prompt",
            "head_tokens": self.head_tokens,
            "examples": len(self.shots),
            "instruction": self.instruction,
            "seconds_to_fit": self.seconds_to_fit,
            "notes": list(self.notes),
        }

    @cached_property
    def head_tokens(self) -> int:
        """Tokens of every prompt that come before what differs between two questions."""
        one, other = (self.prompt(Input((Message("user", text),))) for text in ("a", "b"))
        same = next(
            (i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one)
        )
        return same

    # ------------------------------------------------------------------ prompts

    def messages(self, given: Input) -> tuple[Message, ...]:
        """The conversation that the model is given: system message, shots, then the input."""
        asked = self.task.ask(given.joined()).messages
        has_system = bool(asked) and asked[0].role == "system"
        parts = [asked[0].content] if has_system else []
        parts += [self.instruction] if self.instruction else []
        turns = [m for shot in self.shots for m in shot]
        turns += asked[1:] if has_system else asked
        if not parts:
            return tuple(turns)
        if self._takes_system:
            return (Message("system", "\n".join(parts)), *turns)
        first = replace(turns[0], content="\n\n".join([*parts, turns[0].content]))
        return (first, *turns[1:])

    @cached_property
    def _takes_system(self) -> bool:
        """Whether the template knows system messages; else they go before the first turn's text."""
        try:
            self.model.renderer.prompt((Message("system", "a"), Message("user", "b")))
        except DataError:
            return False
        return True

    def prompt(self, given: Input) -> tuple[int, ...]:
        """The tokens of the whole prompt."""
        return self.model.renderer.prompt(self.messages(given), given.tools)

    # ------------------------------------------------------------------ Predictor, Likelihood

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, in order."""
        prompts = [self.prompt(given) for given in inputs]
        if self.classify is None:
            return write_answers(self.model, prompts, self.answer_tokens, self.batch_size)
        if self.classify.several:
            known = self.classify.known_labels
            written = write_answers(self.model, prompts, self.answer_tokens, self.batch_size)
            return [
                replace(one, text=SEPARATOR.join(found), labels=found)
                for one in written
                for found in [labels_in(one.text, known)]
            ]
        if self.writes_labels:
            chosen = write_one(self.model, prompts, self.options, batch_size=self.batch_size)
            names = [self.classify.known_labels[i] for i in chosen]
            return [
                Answer(text=name, labels=(name,), prompt_tokens=len(prompt))
                for name, prompt in zip(names, prompts, strict=True)
            ]
        scores = choose(self.model, prompts, self.options, batch_size=self.batch_size)
        return [
            self.classify.from_scores(row, len(prompt))
            for row, prompt in zip(scores.tolist(), prompts, strict=True)
        ]

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        """The sum over the answer's tokens in nats, behind this predictor's own head."""
        rows = [self._encoded(example) for example in examples]
        check_fits(self.model, [r.ids for r in rows], [e.where for e in examples])
        return answer_losses_behind_head(self.model, rows)

    @cached_property
    def answer_tokens(self) -> int:
        """Tokens of the longest answer that is allowed."""
        if self.classify is None:
            return self.task.max_new_tokens or MAX_NEW_TOKENS
        longest = max(len(option) for option in self.options)
        if not self.classify.several:
            return longest
        each = len(self.model.renderer.completion(SEPARATOR))
        all_of_them = sum(len(option) + each for option in self.options)
        most = min(MAX_NEW_TOKENS, self.model.base.context_length // 4)
        return max(longest, min(all_of_them, most))

    @cached_property
    def writes_labels(self) -> bool:
        """Whether the labels are too many to work all of them behind every prompt."""
        return self.classify is not None and tree_size(self.options) > MOST_LABEL_TOKENS

    @cached_property
    def options(self) -> tuple[tuple[int, ...], ...]:
        """Each label as the assistant would write it, up to the end of its turn."""
        assert self.classify is not None
        question = Message("user", "a")
        conversations = [
            (question, Message("assistant", text))
            for text in label_texts(self.classify.known_labels)
        ]
        return tuple(_answer_of(self.model.renderer.conversation(c)) for c in conversations)

    def _encoded(self, example: Example) -> Encoded:
        tools = self.task.question(example).tools
        conversation = self.messages(Input(self.task.conversation(example), tools))
        rendered = self.model.renderer.conversation(conversation, tools)
        targets = tuple(
            i if counts else IGNORED
            for i, counts in zip(rendered.ids, rendered.in_loss, strict=True)
        )
        return Encoded(example.id, rendered.ids, targets)


def _unweighted(message: Message) -> Message:
    return replace(message, weight=0) if message.role == "assistant" else message


def _answer_of(rendered: Rendered) -> tuple[int, ...]:
    return tuple(i for i, counts in zip(rendered.ids, rendered.in_loss, strict=True) if counts)
