"""A linear layer and its low-rank update as one product each way.

PEFT adds the update to the layer's output by a scaling and a sum of full size, and its backward pass
does as much again. Here the update is accumulated by the matrix product itself (``addmm``), forward
and backward; nothing of full size is made besides the result. Assumes: a plain linear base (not
quantised), no dropout on the update, no DoRA, one adapter, not merged; any other layer stays as PEFT
made it. ``train.exact: true`` leaves it out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from afina.models.fused import fuse_where

Parts = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor, torch.Tensor, float]


def product(
    rows: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    down: torch.Tensor,
    up: torch.Tensor,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """rows [N, I] → the layer with its update [N, O], and what A gives [N, R]."""
    result = nn.functional.linear(rows, weight, bias)
    inner = rows @ down.t()
    result.addmm_(inner, up.t(), alpha=scale)
    return result, inner


def update_slopes(
    slope: torch.Tensor, inner: torch.Tensor, up: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients of what A gives [N, R] and of B [O, R], from that of the result [N, O]."""
    return (slope @ up).mul_(scale), (slope.t() @ inner).mul_(scale)


def input_slope(
    slope: torch.Tensor, inner_slope: torch.Tensor, weight: torch.Tensor, down: torch.Tensor
) -> torch.Tensor:
    """The gradient of the rows [N, I]."""
    return (slope @ weight).addmm_(inner_slope, down)


class LoraProduct(torch.autograd.Function):
    """x Wᵀ + b + s (x Aᵀ) Bᵀ. W and b are frozen: no gradient of theirs is formed."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        """x [..., I], weight [O, I], down (A) [R, I], up (B) [O, R] → [..., O]."""
        rows = x.reshape(-1, x.shape[-1])
        result, inner = product(rows, weight, bias, down, up, scale)
        ctx.save_for_backward(rows, weight, down, up, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        rows, weight, down, up, inner = ctx.saved_tensors
        slope = upstream.reshape(-1, upstream.shape[-1])
        inner_slope, up_slope = update_slopes(slope, inner, up, ctx.scale)
        down_slope = inner_slope.t() @ rows
        x_slope = None
        if ctx.needs_input_grad[0]:
            x_slope = input_slope(slope, inner_slope, weight, down).view(ctx.shape)
        return x_slope, None, None, down_slope, up_slope, None


def fuse(module: nn.Module) -> int:
    """Give every layer that allows it the joined product; returns how many got it."""
    return fuse_where(module, allows, _forward)


def allows(layer: Any) -> bool:
    """Whether a layer is a plain linear one with a plain update."""
    from peft.tuners.lora import Linear

    if type(layer) is not Linear:
        return False
    names = list(layer.active_adapters)
    if len(names) != 1 or type(layer.base_layer) is not nn.Linear:
        return False
    name = names[0]
    return (
        isinstance(layer.lora_dropout[name], nn.Identity)
        and name not in layer.lora_variant
        and not layer.lora_bias.get(name, False)
        and not layer.fan_in_fan_out
        and not layer.base_layer.weight.requires_grad
    )


def parts(layer: Any, dtype: torch.dtype) -> Parts | None:
    """Weight, bias, A, B and scale of a layer that works as it was when it was allowed; None if its
    update is switched off or merged, or of another precision."""
    name = layer.active_adapters[0]
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    if layer.disable_adapters or layer.merged or down.dtype != dtype:
        return None
    base = layer.base_layer
    return base.weight, base.bias, down, up, layer.scaling[name]


def _forward(layer: Any, x: torch.Tensor, *others: Any, **options: Any) -> torch.Tensor:
    own = parts(layer, x.dtype)
    if own is None or options:
        result: torch.Tensor = type(layer).forward(layer, x, *others, **options)
        return result
    joined: torch.Tensor = LoraProduct.apply(x, *own)  # type: ignore[no-untyped-call]
    return joined
