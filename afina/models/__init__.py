"""Base models and tuned ones: where they come from, loading, tokens, answers, saving.

The only room that knows tokens. Importing it loads no torch: each name below is fetched from its
file when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afina.models.choose import choose
    from afina.models.embed import Embedder
    from afina.models.generate import generate, stream
    from afina.models.load import Model, load, load_renderer
    from afina.models.predictor import TunedModel
    from afina.models.prompted import PromptedBase
    from afina.models.render import ChatRenderer
    from afina.models.sampling import Piece, Sampling
    from afina.models.save import merge, open_model, save_model
    from afina.models.sources import Base, resolve

_FILES = {
    "Base": "sources",
    "ChatRenderer": "render",
    "Embedder": "embed",
    "Model": "load",
    "Piece": "sampling",
    "PromptedBase": "prompted",
    "Sampling": "sampling",
    "TunedModel": "predictor",
    "choose": "choose",
    "generate": "generate",
    "load": "load",
    "load_renderer": "load",
    "merge": "save",
    "open_model": "save",
    "resolve": "sources",
    "save_model": "save",
    "stream": "generate",
}

__all__ = [
    "Base",
    "ChatRenderer",
    "Embedder",
    "Model",
    "Piece",
    "PromptedBase",
    "Sampling",
    "TunedModel",
    "choose",
    "generate",
    "load",
    "load_renderer",
    "merge",
    "open_model",
    "resolve",
    "save_model",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
