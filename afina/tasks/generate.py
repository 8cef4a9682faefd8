"""Generation: answer a conversation with text, or with JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, cast

from pydantic import Field, field_validator

from afina.errors import DataError, RecipeError
from afina.tasks import calls
from afina.tasks.json_schema import Schema, SchemaError
from afina.tasks.written import Written
from afina.types import (
    IGNORED,
    Answer,
    ChatExample,
    Encoded,
    Example,
    Head,
    Input,
    JudgedExample,
    Message,
    PreferenceExample,
    Renderer,
    Targets,
)

MOST_PROBLEMS = 50
"""Rows that an error names."""


class Generate(Written):
    """Answer an instruction or a conversation with text, or with JSON."""

    name: Literal["generate"] = "generate"
    answer: Literal["text", "json"] | None = None
    """The form of the answer; ``json`` when every answer in the data is a JSON object or array."""
    system: str | None = None
    """System message put before every conversation that has none, in training and in serving."""
    loss_on: Literal["answers", "last_answer"] = "answers"
    """Which assistant turns are learned: all with weight, or only the last."""
    json_schema: str | dict[str, Any] | None = None
    """JSON Schema of the answers: a file, or the schema itself. Every right answer is held against it
    before training, every given one in the evaluation (``schema_validity``)."""
    run_tests: bool = False
    """Whether the code of answers is run with the tests of its row (a column ``tests``), in a process of
    its own: a guard against accidents, not against an attacker."""
    test_seconds: float = Field(10.0, gt=0, le=3600)
    """With run_tests: seconds that a run may take, of the clock and of the processor."""
    test_megabytes: int = Field(1024, ge=64)
    """With run_tests: memory that a run may ask for."""

    accepts: ClassVar[tuple[type[Example], ...]] = (ChatExample, PreferenceExample, JudgedExample)
    head: ClassVar[Head] = "tokens"
    serves: ClassVar[tuple[str, ...]] = ("chat", "completion")

    @property
    def targets(self) -> Targets:
        return "tokens"

    @field_validator("json_schema")
    @classmethod
    def _a_schema(cls, value: Any) -> Any:
        if isinstance(value, dict):
            Schema(value)  # raises SchemaError, a ValueError
        return value

    def resolve(self, examples: Sequence[Example]) -> Generate:
        form = self.answer or ("json" if self.json_schema is not None else None)
        if form is None:
            form = (
                "json"
                if examples and all(_is_json(self.gold(e).text) for e in examples)
                else "text"
            )
        elif form == "json":
            for example in examples:
                if not _is_json(self.gold(example).text):
                    raise DataError(
                        "the answer is not a JSON object or array",
                        where=example.where,
                        do="mend the row, or set task.answer to text",
                    )
        self._refuse_other_forms(examples, form)
        return self.model_copy(update={"answer": form})

    @property
    def schema_of_answers(self) -> Schema | None:
        """The schema, read. Raises RecipeError for the name of a file that nobody has read."""
        if isinstance(self.json_schema, str):
            raise RecipeError(
                f"the schema {self.json_schema} was not read",
                where="task.json_schema",
                do="load the recipe from a file, or give the schema itself",
            )
        return None if self.json_schema is None else Schema(self.json_schema)

    def _refuse_other_forms(self, examples: Sequence[Example], form: str) -> None:
        """Raises DataError naming the rows whose right answer does not satisfy the schema."""
        schema = self.schema_of_answers
        if schema is None:
            return
        if form != "json":
            raise RecipeError(
                "a JSON Schema for answers that are text",
                where="task.json_schema",
                do="set task.answer to json, or leave task.json_schema out",
            )
        try:
            found = [
                (e.where, problem)
                for e in examples
                if (problem := schema.problem(json.loads(self.gold(e).text))) is not None
            ]
        except SchemaError as error:  # branches that lead on without an end
            raise RecipeError(str(error), where="task.json_schema", do="mend it") from None
        if found:
            raise DataError(
                f"{len(found):,} of {len(examples):,} right answers do not satisfy task.json_schema: "
                f"{found[0][1]}",
                where=found[0][0],
                do="mend the rows, or the schema",
                problems=[f"{where}: {problem}" for where, problem in found[1:MOST_PROBLEMS]],
            )

    def conversation(self, example: Example) -> tuple[Message, ...]:
        """The messages as they are trained: with the system message and the wished loss."""
        messages = self._with_system(_chat(example).messages)
        if self.loss_on == "answers":
            return messages
        last = max((i for i, m in enumerate(messages) if m.role == "assistant"), default=-1)
        return tuple(
            Message(m.role, m.content, 0, m.name, m.tool_calls, m.tool_call_id)
            if m.role == "assistant" and i != last
            else m
            for i, m in enumerate(messages)
        )

    def refuses_other_words(self) -> str:
        if self.answer == "json":
            return "its answers are JSON, with values from the words of the question"
        return ""

    def question(self, example: Example) -> Input:
        row = _chat(example)
        return self.ask(Input(row.messages[:-1], row.tools))

    def ask(self, given: Input) -> Input:
        """An input as the model expects it: with the task's system message if it has none."""
        return Input(self._with_system(given.messages), given.tools)

    def gold(self, example: Example) -> Answer:
        return Answer(text=calls.of_turn(_chat(example).messages[-1]))

    def encode(self, example: Example, renderer: Renderer) -> Encoded:
        """A preference pair is the better answer, and the worse one beside it."""
        if isinstance(example, PreferenceExample):
            worse = replace(self.encode(example.worse, renderer), worth=-1.0)
            return replace(self.encode(example.better, renderer), others=(worse,))
        row = cast(ChatExample, example)
        rendered = renderer.conversation(self.conversation(row), row.tools)
        targets = tuple(
            i if counts else IGNORED
            for i, counts in zip(rendered.ids, rendered.in_loss, strict=True)
        )
        bad = isinstance(row, JudgedExample) and not row.good
        return Encoded(row.id, rendered.ids, targets, worth=-1.0 if bad else 1.0)

    def prompt(self, given: Input, renderer: Renderer) -> tuple[int, ...]:
        asked = self.ask(given)
        return renderer.prompt(asked.messages, asked.tools)

    def stratum(self, example: Example) -> str | None:
        """For JSON answers: the value of the first field, if it is a word (an intent, a type)."""
        if self.answer != "json":
            return None
        value = json.loads(self.gold(example).text)
        first = next(iter(value.values()), None) if isinstance(value, dict) else None
        return first if isinstance(first, str) else None

    def scorers(self) -> tuple[str, ...]:
        if self.run_tests:
            return ("passes_tests", "chrf", "exact_match", "perplexity")
        if self.json_schema is not None:
            return (
                "exact_match",
                "schema_validity",
                "json_valid",
                "field_f1",
                "chrf",
                "perplexity",
            )
        if self.answer == "json":
            return ("exact_match", "json_valid", "field_f1", "chrf", "perplexity")
        return ("chrf", "rouge_l", "exact_match", "perplexity")

    def baselines(self) -> tuple[str, ...]:
        return ("nearest", "zero_shot", "few_shot")

    def _with_system(self, messages: tuple[Message, ...]) -> tuple[Message, ...]:
        if self.system and (not messages or messages[0].role != "system"):
            return (Message("system", self.system), *messages)
        return messages


def _chat(example: Example) -> ChatExample:
    """The conversation that ends in the right answer."""
    if isinstance(example, PreferenceExample):
        return example.better
    return cast(ChatExample, example)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict | list)
    except (ValueError, RecursionError):
        return False
