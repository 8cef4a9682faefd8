"""The shapes of the requests about texts that are no conversation: vectors, order, labels, numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from afina.serve.asked import MAX_MESSAGES, AskedMessage, Text
from afina.serve.body import Body
from afina.types import Input, Message

MAX_INPUTS = 2048


class TextsRequest(Body):
    """What embeddings and labels share: one text, or several."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    input: Text | Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]

    @property
    def param(self) -> str:
        """Where a text stands in the request; ``{}`` is its place in the list."""
        return "input" if isinstance(self.input, str) else "input.{}"

    @property
    def texts(self) -> tuple[str, ...]:
        """The texts."""
        return (self.input,) if isinstance(self.input, str) else tuple(self.input)


class EmbeddingRequest(TextsRequest):
    """``POST /v1/embeddings``."""

    encoding_format: Literal["float", "base64"] | None = None
    dimensions: int | None = Field(None, ge=1, le=2**31 - 1)
    input_type: Literal["query", "passage"] | None = None


class RerankRequest(Body):
    """``POST /v1/rerank``. ``top_n``: only the first so many texts; ``return_documents``: whether the
    texts come back beside their places (they do unless it says false)."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    query: Text
    documents: Annotated[list[Text], Field(min_length=1, max_length=MAX_INPUTS)]
    top_n: int | None = Field(None, ge=1)
    return_documents: bool | None = None


class TextPair(Body):
    """Two texts that are judged together."""

    text: Text
    text_b: Text


class JudgedRequest(Body):
    """``POST /v1/regress``, and what the routes share that judge texts or pairs of them."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    input: (
        Text
        | TextPair
        | Annotated[list[Text | TextPair], Field(min_length=1, max_length=MAX_INPUTS)]
    )

    @property
    def param(self) -> str:
        """Where a text stands in the request; ``{}`` is its place in the list."""
        return "input.{}" if isinstance(self.input, list) else "input"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        given = self.input if isinstance(self.input, list) else [self.input]
        return tuple(
            Input((Message("user", one),))
            if isinstance(one, str)
            else Input((Message("user", one.text),), second=one.text_b)
            for one in given
        )


class TagRequest(JudgedRequest):
    """``POST /v1/tag``: texts, never pairs."""

    def contradiction(self) -> tuple[str, str] | None:
        if any(given.second is not None for given in self.inputs):
            return "input", "a text, or a list of texts; this model reads no pairs"
        return None


class Question(Body):
    """A question and the text that holds its answer."""

    question: Text
    context: Text


class AnswerRequest(Body):
    """``POST /v1/answer``."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    input: Question | Annotated[list[Question], Field(min_length=1, max_length=MAX_INPUTS)]

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        given = self.input if isinstance(self.input, list) else [self.input]
        return tuple(Input((Message("user", o.question),), context=o.context) for o in given)


class Judgement(Body):
    """A conversation that ends in the answer to judge."""

    messages: list[AskedMessage] = Field(min_length=1, max_length=MAX_MESSAGES)


class ScoreRequest(Body):
    """``POST /v1/score``."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    input: Judgement | Annotated[list[Judgement], Field(min_length=1, max_length=MAX_INPUTS)]

    @property
    def param(self) -> str:
        """Where a conversation stands in the request; ``{}`` is its place in the list."""
        return "input.{}" if isinstance(self.input, list) else "input"

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        given = self.input if isinstance(self.input, list) else [self.input]
        return tuple(Input(tuple(m.message for m in one.messages)) for one in given)


class ClassifyRequest(JudgedRequest):
    """``POST /v1/classify``. ``top_k`` limits the probabilities to the largest."""

    top_k: int | None = Field(None, ge=1, le=100_000)
