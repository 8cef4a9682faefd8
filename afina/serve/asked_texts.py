"""The shapes of the requests about texts that are no conversation: vectors, order, labels, numbers."""

from __future__ import annotations

from typing import Annotated, ClassVar, Generic, Literal, TypeVar

from pydantic import Field

from afina.serve.asked import MAX_MESSAGES, AskedMessage, Text
from afina.serve.body import Body
from afina.types import Input, Message

MAX_INPUTS = 2048


One = TypeVar("One")


class OneOrMore(Body, Generic[One]):
    """What these requests share: a model, and one thing to look at or a list of them."""

    ignored: ClassVar[frozenset[str]] = frozenset({"user"})

    model: Text
    input: One | Annotated[list[One], Field(min_length=1, max_length=MAX_INPUTS)]

    @property
    def param(self) -> str:
        """Where one of them stands in the request; ``{}`` is its place in the list."""
        return "input.{}" if isinstance(self.input, list) else "input"

    @property
    def given(self) -> list[One]:
        """All of them."""
        return self.input if isinstance(self.input, list) else [self.input]


class EmbeddingRequest(OneOrMore[Text]):
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


class JudgedRequest(OneOrMore[Text | TextPair]):
    """``POST /v1/regress``, and what the routes share that judge texts or pairs of them."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        return tuple(
            Input((Message("user", one),))
            if isinstance(one, str)
            else Input((Message("user", one.text),), second=one.text_b)
            for one in self.given
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


class AnswerRequest(OneOrMore[Question]):
    """``POST /v1/answer``."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        return tuple(Input((Message("user", o.question),), context=o.context) for o in self.given)


class Judgement(Body):
    """A conversation that ends in the answer to judge."""

    messages: list[AskedMessage] = Field(min_length=1, max_length=MAX_MESSAGES)


class ScoreRequest(OneOrMore[Judgement]):
    """``POST /v1/score``."""

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What is asked, as a model knows it."""
        return tuple(Input(tuple(m.message for m in one.messages)) for one in self.given)


class ClassifyRequest(JudgedRequest):
    """``POST /v1/classify``. ``top_k`` limits the probabilities to the largest."""

    top_k: int | None = Field(None, ge=1, le=100_000)
