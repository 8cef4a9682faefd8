"""A language model asked outside its task: chats by the base's own template, and bare texts.

What the task says (a system message, the form of an answer) is left out, so that a base and what was
tuned from it are asked the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from afina.models.layout import lay_out
from afina.models.likelihood import ROWS_AT_ONCE, summed_losses
from afina.models.load import Model
from afina.models.network import TokenNetwork
from afina.tasks import Generate, Text
from afina.types import Encoded, Example, Renderer, TextExample

WINDOW = 512
"""Tokens of a text that are read at once."""


class General:
    """The model as a Likelihood of conversations and texts of any kind."""

    def __init__(self, model: Model, window: int = WINDOW) -> None:
        """``window``: tokens of a text that are read at once."""
        self.model, self.window = model, min(window, model.context_length)
        network = model.network
        self.answers = isinstance(network, TokenNetwork)
        """Whether it can be asked questions; a masked model reads texts only."""
        if isinstance(network, TokenNetwork) and not (model.method and model.method.virtual_tokens):
            network.lay_flat()

    def negative_log_likelihood(self, examples: Sequence[Example]) -> list[tuple[float, int]]:
        """For each example: the sum over its answer, or the whole text, in nats, and its tokens.

        The examples are worked in their order, so that those which begin alike should stand together.
        """
        rows = encode_general(examples, self.model.renderer, self.window)
        return summed_losses(self.model, rows, ROWS_AT_ONCE)


def encode_general(examples: Sequence[Example], renderer: Renderer, window: int) -> list[Encoded]:
    """The rows that ``General`` works; a text that is longer than the window in several stretches."""
    chat, text = Generate(), Text(window=max(16, window))
    return [
        (text if isinstance(example, TextExample) else chat).encode(example, renderer)
        for example in examples
    ]


def tokens_read(rows: Sequence[Encoded]) -> int:
    """Tokens that pass through the network, beginnings that rows of a pass share counted once."""
    ids = [part.ids for row in rows for part in row.sequences]
    return sum(
        lay_out(ids[start : start + ROWS_AT_ONCE]).tokens
        for start in range(0, len(ids), ROWS_AT_ONCE)
    )
