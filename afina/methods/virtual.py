"""What virtual tokens ask of a network, told before anything is trained."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING

from afina.errors import RecipeError

if TYPE_CHECKING:
    import torch


def check_virtual(module: torch.nn.Module, *, keys_and_values: bool) -> None:
    """Raise RecipeError if virtual tokens cannot stand before the rows of this network.

    ``keys_and_values``: they have to be handed over as such (a prefix, or any of them when text is
    written), which networks with a running state and some encoders do not take.
    """
    takes = "past_key_values" in signature(module.forward).parameters
    if keys_and_values and (not takes or getattr(module, "_is_stateful", False)):
        raise RecipeError(
            f"{type(module).__name__} takes no keys and values from outside",
            where="method",
            do="take method: lora, adapter or ia3",
        )
    if "inputs_embeds" not in signature(module.forward).parameters:
        raise RecipeError(
            f"{type(module).__name__} takes no vectors in the place of tokens",
            where="method",
            do="take method: lora, adapter or ia3",
        )
