"""A served model that answers chats from documents: the passages come with the question."""

from __future__ import annotations

from afina.retrieval import Rag, Sourced
from afina.serve.model import ServedModel
from afina.types import Input


class Grounded:
    """A model behind the API with an index before it. Only chats get passages: a text to go on
    from, to embed or to classify stays as it is.
    """

    def __init__(self, model: ServedModel, rag: Rag) -> None:
        self.name = model.name
        self.base = model.base
        self.created = model.created
        self.kinds = model.kinds
        self.context_length = model.context_length
        self.pairs = model.pairs
        self.usual_tokens = model.usual_tokens
        self.count_tokens = model.count_tokens
        self.stream = model.stream
        self.embed = model.embed
        self.predict = model.predict
        self._rag = rag

    def ground(self, given: Input, answer_tokens: int | None) -> Sourced:
        """The conversation with its passages, leaving room for an answer of that many tokens."""
        room = None if answer_tokens is None else self.context_length - answer_tokens
        return self._rag.with_sources([given], room)[0]
