"""How an answer is drawn, and the pieces in which it arrives. Knows no tensors and no models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Sampling:
    """How the tokens of one answer are chosen. Temperature 0 takes the most probable one each time.

    ``stop``: texts before which the answer ends. ``logprobs``: how many of the most probable
    tokens are reported with each one; 0 reports only the token itself, None nothing. The penalties
    are subtracted from the scores of tokens that the answer already holds, once for each time
    (frequency) or once (presence); ``logit_bias`` is added to the score of a token id.
    """

    max_new_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """What one step adds to an answer.

    ``text`` may be empty while a character or a stop text is not complete yet. ``token`` is the id
    that was drawn, None for a piece that only brings held-back text or the end. ``logprob`` in nats
    and ``top`` (most probable first) are there if they were asked for. ``finish`` is empty until
    the last piece, which says ``stop`` or ``length``.
    """

    text: str
    token: int | None = None
    logprob: float | None = None
    top: tuple[tuple[str, float], ...] = ()
    finish: str = ""
