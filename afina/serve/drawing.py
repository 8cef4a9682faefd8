"""From the fields of a request to the sampling of one choice, and the shapes of its figures."""

from __future__ import annotations

import time
from typing import Any

from afina.models.sampling import Piece, Sampling
from afina.serve.asked import Drawn

LEAST_LOGPROB = -9999.0
"""What the OpenAI API reports for a token that cannot occur: JSON has no minus infinity."""


def sampling(asked: Drawn, index: int, max_new_tokens: int, logprobs: int | None) -> Sampling:
    """How choice ``index`` is drawn.

    Where the request says nothing the answer is greedy, as it was when the model was measured. With
    a seed each choice has a seed of its own, the first one the seed itself.
    """
    seed = asked.seed if asked.seed is None or index == 0 else (asked.seed + index) % 2**63
    return Sampling(
        max_new_tokens=max_new_tokens,
        temperature=asked.temperature or 0.0,
        top_p=1.0 if asked.top_p is None else asked.top_p,
        seed=seed,
        stop=asked.stops,
        logprobs=logprobs,
        frequency_penalty=asked.frequency_penalty or 0.0,
        presence_penalty=asked.presence_penalty or 0.0,
        logit_bias={int(token): bias for token, bias in (asked.logit_bias or {}).items()},
    )


def usage(prompt_tokens: int, completion_tokens: int) -> dict[str, int]:
    """The figures of a whole request."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


def chat_logprob(piece: Piece) -> dict[str, Any]:
    """A token as chat completions report it."""
    top = [_entry(text, logprob) for text, logprob in piece.top]
    return {**_entry(piece.text, piece.logprob), "top_logprobs": top}


def finite(logprob: float | None) -> float:
    """A log-probability that JSON can carry."""
    return logprob if logprob is not None and logprob > LEAST_LOGPROB else LEAST_LOGPROB


def now() -> int:
    """Unix time in seconds."""
    return int(time.time())


def _entry(text: str, logprob: float | None) -> dict[str, Any]:
    return {"token": text, "logprob": finite(logprob), "bytes": list(text.encode())}
