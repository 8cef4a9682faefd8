"""An encoder's own pooler: used only where the weights of one are stored.

Transformers draws a pooler that is not stored at random and goes on; every vector would then pass
through noise.
"""

from __future__ import annotations

from inspect import signature
from pathlib import Path

from torch import nn

from afina.errors import ModelError
from afina.models.safe import read_weights


def settle_pooler(module: nn.Module, folder: Path, wanted: bool) -> None:
    """Take the pooler out of an encoder, unless it is ``wanted`` and the folder stores it.

    Without one the first token's state is taken as it is. Raises ModelError where the pooler is
    wanted, is not stored, and cannot be left out.
    """
    if getattr(module, "pooler", None) is None:
        return
    if wanted and stores_pooler(folder):
        return
    if "add_pooling_layer" in signature(type(module).__init__).parameters:
        setattr(module, "pooler", None)  # noqa: B010 - torch types it as a Module
    elif wanted:
        raise ModelError(
            "the base is stored without the weights of its pooler, which its first token needs",
            where="task.pooling",
            do="take task.pooling: mean",
        )


def stores_pooler(folder: Path) -> bool:
    """Whether the weights files of a folder hold a pooler."""
    stored, _ = read_weights(folder)
    return any("pooler" in name.split(".") for name in stored)
