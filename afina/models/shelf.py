"""Bases that several models are made from one after the other: read once, copied for each.

Training changes a module in many ways (adapters are set into it, weights move, pieces are fused), so
nobody gets the one that is kept. It costs the memory of one more copy of the base.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable

from torch import nn


class Shelf:
    """Keeps the module that was asked for last, as it was read."""

    def __init__(self) -> None:
        self._kept: tuple[Hashable, nn.Module] | None = None

    def take(self, key: Hashable, read: Callable[[], nn.Module]) -> nn.Module:
        """A copy of the module that ``key`` stands for; ``read`` makes it the first time."""
        if self._kept is None or self._kept[0] != key:
            self._kept = None  # never two of them in memory
            self._kept = (key, read())
        return copy.deepcopy(self._kept[1])
