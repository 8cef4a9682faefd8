"""Root-mean-square norms that keep one tensor for the backward pass instead of five.

Transformers' norms go through float32 step by step, and autograd keeps what stands between the steps:
in a small decoder more than the products of a layer do. Here the input, the weight and one number a
token are kept (Zhang and Sennrich 2019, arXiv 1910.07467). The forward pass does the same steps in the
same order: equal bits. Taken only by a norm that is seen to give what this one gives, with a frozen
weight. ``train.exact: true`` leaves it out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from afina.models.fused import fuse_where


class RmsNorm(torch.autograd.Function):
    """w · x / √(mean x² + ε), rounded to x's precision before it meets w. w is frozen."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        """x [..., D], weight [D] → [..., D]."""
        wide = x.float()
        scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + epsilon)
        ctx.save_for_backward(x, weight, scale)
        return weight * (wide * scale).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        x, weight, scale = ctx.saved_tensors
        unit = x.float().mul_(scale)
        slope = (upstream * weight).float()
        slope.sub_(unit.mul_((slope * unit).mean(-1, keepdim=True))).mul_(scale)
        return slope.to(x.dtype), None, None


def fuse(module: nn.Module) -> int:
    """Give every norm that allows it this forward pass; returns how many got it."""
    return fuse_where(module, _allows, _forward)


def _epsilon(layer: Any) -> float | None:
    found = getattr(layer, "variance_epsilon", getattr(layer, "eps", None))
    return float(found) if isinstance(found, float) else None


@torch.no_grad()
def _allows(layer: Any) -> bool:
    weight, epsilon = getattr(layer, "weight", None), _epsilon(layer)
    if not type(layer).__name__.endswith("RMSNorm"):
        return False
    if not isinstance(weight, nn.Parameter) or weight.requires_grad or epsilon is None:
        return False
    if weight.ndim != 1 or weight.device.type != "cpu":
        return False
    probe = torch.linspace(-2.0, 3.0, 3 * len(weight)).view(3, -1).to(weight.dtype)
    return bool(torch.equal(layer(probe), RmsNorm.forward(_Nowhere(), probe, weight, epsilon)))


class _Nowhere:
    """Takes what a forward pass keeps, and keeps nothing."""

    def save_for_backward(self, *_: torch.Tensor) -> None:
        return None


def _forward(layer: Any, hidden_states: torch.Tensor) -> torch.Tensor:
    found: torch.Tensor = RmsNorm.apply(  # type: ignore[no-untyped-call]
        hidden_states, layer.weight, _epsilon(layer)
    )
    return found
