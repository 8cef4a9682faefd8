"""Full fine-tuning: every weight moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from afina.methods.rates import base_learning_rate
from afina.types import Head, Method

if TYPE_CHECKING:
    import torch


class Full(Method):
    """Every weight of the base moves."""

    name: Literal["full"] = "full"

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        module.requires_grad_(True)
        return module

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return base_learning_rate(parameters)
