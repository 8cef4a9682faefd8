"""The bottleneck itself: a small two-layer network beside a bypass, set behind a projection.

It becomes a child of the projection, and a forward hook adds it to what the projection gives: every
name of the base stays what it was, no class of a library is changed, and a low-rank update around
the projection (``hybrid``) is found by PEFT where PEFT expects it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

NAME = "bottleneck"
"""The child's name: ``….output.dense.bottleneck.down.weight``."""
DEVIATION = 1e-2
"""Standard deviation of new weights, cut off at two: the network begins near the identity
(Houlsby et al. 2019, section 3.6: up to this value the score does not depend on it)."""
ACTIVATIONS = {"gelu": "GELU", "relu": "ReLU", "silu": "SiLU", "tanh": "Tanh"}


def insert(
    network: torch.nn.Module, places: Iterable[str], width: int, size: int, activation: str
) -> None:
    """Set a new bottleneck behind each projection of that name, in the weights' own precision.

    What passes becomes x + W₂ f(W₁ x + b₁) + b₂, with W₁ [size, width] and W₂ [width, size].
    """
    for place in places:
        layer = network.get_submodule(place)
        like = next(p for p in layer.parameters() if p.is_floating_point())
        layer.add_module(NAME, _new(width, size, activation).to(like.device, like.dtype))
        layer.register_forward_hook(_add)


def _new(width: int, size: int, activation: str) -> torch.nn.Module:
    from torch import nn

    down, up = nn.Linear(width, size), nn.Linear(size, width)
    for layer in (down, up):
        nn.init.trunc_normal_(layer.weight, std=DEVIATION, a=-2 * DEVIATION, b=2 * DEVIATION)
        nn.init.zeros_(layer.bias)
    between: nn.Module = getattr(nn, ACTIVATIONS[activation])()
    return nn.Sequential(OrderedDict(down=down, activation=between, up=up))


def _add(layer: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
    result: torch.Tensor = output + getattr(layer, NAME)(output)
    return result
