"""What the server asks of a model. It knows nothing of how the model came to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Protocol, runtime_checkable

from afina.models.sampling import Piece, Sampling
from afina.retrieval import Sourced
from afina.types import Answer, Input

KINDS = ("chat", "completion", "embedding", "classify", "regress", "tag", "answer", "score")
"""What a model may be able to do."""


class ServedModel(Protocol):
    """A model behind the API. The server calls ``stream``, ``embed`` and ``predict`` from one
    thread, one call at a time; ``count_tokens`` may run beside them in another thread.
    """

    @property
    def name(self) -> str:
        """The id under which clients ask for it."""
        ...

    @property
    def base(self) -> str:
        """The base model it was made from."""
        ...

    @property
    def created(self) -> int:
        """Unix time in seconds."""
        ...

    @property
    def kinds(self) -> frozenset[str]:
        """Which of ``KINDS`` it can do."""
        ...

    @property
    def pairs(self) -> bool | None:
        """Whether it judges two texts together; None where that means nothing."""
        ...

    @property
    def context_length(self) -> int:
        """Tokens of prompt and answer together; for embeddings and labels, of one text."""
        ...

    @property
    def usual_tokens(self) -> int | None:
        """Longest completion where the request states none; None: the OpenAI API's default."""
        ...

    def count_tokens(self, given: Input | str) -> int:
        """Tokens of the prompt as ``stream`` (or ``embed``, ``predict``) would see it."""
        ...

    def stream(self, given: Input | str, sampling: Sampling) -> Iterator[Piece]:
        """One answer, piece by piece; a bare text is gone on from as it is. Closing it stops it."""
        ...

    def embed(
        self, texts: Sequence[str], use: Literal["query", "passage"] = "query"
    ) -> list[list[float]]:
        """One vector for each text; ``use`` is what the text is for."""
        ...

    def predict(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, for what is no text: labels, numbers, stretches."""
        ...


@runtime_checkable
class Grounds(Protocol):
    """A ServedModel that looks things up before it answers a chat; called beside the generation,
    in the thread that counts tokens.
    """

    def ground(self, given: Input, answer_tokens: int | None) -> Sourced:
        """The conversation to answer, and the documents that are in it now."""
        ...
