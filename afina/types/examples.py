"""What a row is, what a predictor may see of it, and what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation. ``weight`` 0 keeps an assistant turn out of the loss."""

    role: Role
    content: str
    weight: int = 1
    name: str | None = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """One row. ``id`` is stable under reordering of the file; ``where`` says file and row."""

    id: str
    where: str
    group: str | None = None
    time: str | None = None
    fields: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """Column and value of what the report is sliced by; no part of the row's content."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledExample(Example):
    """A text and its label, or its labels (none is allowed when several are).

    ``second`` is the other text of a pair (the hypothesis beside its premise).
    """

    text: str
    labels: tuple[str, ...]
    second: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NumberExample(Example):
    """A text, or a pair of texts, and a number."""

    text: str
    number: float
    second: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text: characters ``start`` to ``end`` (without it), its label and its words.

    ``score``: how sure a predictor is of it, 0 to 1.
    """

    start: int
    end: int
    label: str
    text: str = ""
    score: float | None = None

    @property
    def key(self) -> tuple[int, int, str]:
        """What makes two spans the same."""
        return self.start, self.end, self.label


@dataclass(frozen=True, kw_only=True, slots=True)
class TaggedExample(Example):
    """A text and its labelled stretches, in order and without overlap."""

    text: str
    spans: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionExample(Example):
    """A question about a text, and the stretches of it that answer the question.

    Several where several people have answered; none where the text has no answer.
    """

    question: str
    context: str
    answers: tuple[Span, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatExample(Example):
    """A conversation whose assistant turns are the answers to learn.

    Prompt/completion, Alpaca and ShareGPT rows arrive here too. The gold answer is the last turn.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    tests: str = ""
    """Code that checks the code of the answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PreferenceExample(Example):
    """A prompt with a better and a worse answer."""

    prompt: tuple[Message, ...]
    chosen: tuple[Message, ...]
    rejected: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()

    @property
    def better(self) -> ChatExample:
        """The conversation with the better answer; nothing of the prompt is in the loss."""
        return self._with(self.chosen)

    @property
    def worse(self) -> ChatExample:
        """The conversation with the worse answer."""
        return self._with(self.rejected)

    def _with(self, answer: tuple[Message, ...]) -> ChatExample:
        turns = (*(replace(m, weight=0) for m in self.prompt), *answer)
        return ChatExample(
            id=self.id,
            where=self.where,
            group=self.group,
            time=self.time,
            messages=turns,
            tools=self.tools,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedExample(ChatExample):
    """A conversation whose last answer somebody called good or bad."""

    good: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PairExample(Example):
    """A query and a text that belongs to it; ``negatives`` are texts that do not."""

    query: str
    positive: str
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class TextExample(Example):
    """Raw text without an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class Input:
    """What a Predictor may see of an example: everything but the answer."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    second: str | None = None
    """The other text of a pair."""
    context: str | None = None
    """The text that holds the answer."""
    candidates: tuple[str, ...] = ()
    """The texts to choose among, for a task that ranks."""

    @property
    def text(self) -> str:
        """The text to classify, or the last thing the user said."""
        for message in reversed(self.messages):
            if message.role == "user":
                return message.content
        return self.messages[-1].content if self.messages else ""

    def joined(self) -> Input:
        """The same for who knows no pairs: the second text on a line below the first."""
        if self.second is None:
            return self
        *before, asked = self.messages
        whole = replace(asked, content=f"{asked.content}\n{self.second}")
        return Input((*before, whole), self.tools)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a Predictor says. ``labels`` for classification, ``number`` for regression, ``spans`` for
    stretches of the text that was given, ``text`` always.

    ``probabilities`` maps a label to its probability where the predictor knows it. Token counts
    are those of this predictor's own prompt and answer (0 where it has no tokens).
    """

    text: str
    labels: tuple[str, ...] = ()
    probabilities: Mapping[str, float] | None = None
    prompt_tokens: int = 0
    answer_tokens: int = 0
    finish: Literal["stop", "length", ""] = ""
    number: float | None = None
    spans: tuple[Span, ...] | None = None
    sources: tuple[str, ...] = ()
    """Names of the documents that the predictor was shown, best first."""
    passages: tuple[str, ...] = ()
    """What it was shown of them."""
    margin: float | None = None
    """By how much (in logits) the stretch that answers a question outscores "no answer"."""
    ranked: bool = False
    """Whether ``labels`` are texts in order, the best first."""
    cut_tokens: int = 0
    """Tokens of the prompt that were left out because it was too long."""

    def facts(self) -> dict[str, Any]:
        """What was said besides the text, as plain values; empty where the text is all."""
        if self.probabilities is not None:
            rounded = {label: round(p, 6) for label, p in self.probabilities.items()}
            return {"labels": list(self.labels), "probabilities": rounded}
        if self.margin is not None:
            found = _plain(self.spans[0]) if self.spans else {}
            place = {key: found.get(key) for key in ("start", "end", "score")}
            return {**place, "margin": round(self.margin, 6)}
        if self.spans is not None:
            return {"spans": [_plain(span) for span in self.spans]}
        if self.ranked:
            return {"ranked": list(self.labels)}
        return {} if self.number is None else {"number": self.number}


def _plain(span: Span) -> dict[str, Any]:
    value = {"start": span.start, "end": span.end, "label": span.label, "text": span.text}
    return value if span.score is None else {**value, "score": round(span.score, 6)}
