"""Run folders, durable writes, checkpoints and the registry of runs.

Does not know what a token or a metric means. ``Registry`` is loaded when it is first asked for,
because it brings SQLAlchemy with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from afina.store.checkpoints import Checkpoint, Checkpoints
from afina.store.run import Run
from afina.store.seal import Verification, versions

if TYPE_CHECKING:
    from afina.store.registry import Promotion, Recorded, Registry

__all__ = [
    "Checkpoint",
    "Checkpoints",
    "Promotion",
    "Recorded",
    "Registry",
    "Run",
    "Verification",
    "versions",
]


def __getattr__(name: str) -> Any:
    if name in ("Promotion", "Recorded", "Registry"):
        from afina.store import registry

        return getattr(registry, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
