"""Decide before training: what each way gives on the user's own rows, what it costs, what to do.

Knows how no way works inside: each is a Predictor, measured by the evaluation like any other.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afina.decide.deciding import decide, keep, learning_curve, ranked_bases
    from afina.decide.decision import Decision

_FILES = {
    "Decision": "decision",
    "decide": "deciding",
    "keep": "deciding",
    "learning_curve": "deciding",
    "ranked_bases": "deciding",
}

__all__ = ["Decision", "decide", "keep", "learning_curve", "ranked_bases"]


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
