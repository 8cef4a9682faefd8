"""A loaded model made ready for its first step."""

from __future__ import annotations

import torch

from afina.models.load import Model
from afina.models.network import TokenNetwork
from afina.train.plan import Plan
from afina.train.weights import Weights


def prepare(model: Model, plan: Plan) -> Weights:
    """Bring the frozen weights to the run's precision and make masters of the others."""
    for name, parameter in model.network.named_parameters():
        floating = parameter.is_floating_point()
        if not parameter.requires_grad and floating and not name.startswith("head."):
            parameter.data = parameter.data.to(model.dtype)
    method = model.method
    assert method is not None
    moves = {f"module.{n}": m for n, m in method.moves(model.network.module).items()}
    dtype = torch.float32 if method.precise else model.dtype
    return Weights(model.trained(), plan.recipe.train, dtype, moves)


def lay_flat(model: Model) -> bool:
    """Let the network work rows end to end if it gives the same that way."""
    return all(
        isinstance(network, TokenNetwork) and network.lay_flat() for network in model.network.each
    )
