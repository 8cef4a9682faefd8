"""A linear layer and its low-rank update as one product each way.

PEFT adds the update to the layer's output by a scaling and a sum of full size, and its backward pass
does as much again. Here the update is accumulated by the matrix product itself (``addmm``), forward
and backward; nothing of full size is made besides the result. Assumes: a plain linear base (not
quantised), no dropout on the update, no DoRA, one adapter, not merged; any other layer stays as PEFT
made it. ``train.exact: true`` leaves it out.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn


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
        result = nn.functional.linear(rows, weight, bias)
        inner = rows @ down.t()
        result.addmm_(inner, up.t(), alpha=scale)
        ctx.save_for_backward(rows, weight, down, up, inner)
        ctx.scale, ctx.shape = scale, x.shape
        return result.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        rows, weight, down, up, inner = ctx.saved_tensors
        slope = upstream.reshape(-1, upstream.shape[-1])
        inner_slope = (slope @ up).mul_(ctx.scale)
        up_slope = (slope.t() @ inner).mul_(ctx.scale)
        down_slope = inner_slope.t() @ rows
        x_slope = None
        if ctx.needs_input_grad[0]:
            x_slope = slope @ weight
            x_slope.addmm_(inner_slope, down)
            x_slope = x_slope.view(ctx.shape)
        return x_slope, None, None, down_slope, up_slope, None


def fuse(module: nn.Module) -> int:
    """Give every layer that allows it the joined product; returns how many got it."""
    from peft.tuners.lora import Linear

    count = 0
    for layer in module.modules():
        if type(layer) is Linear and _allows(layer):
            layer.forward = MethodType(_forward, layer)
            count += 1
    return count


def _allows(layer: Any) -> bool:
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


def _forward(layer: Any, x: torch.Tensor, *others: Any, **options: Any) -> torch.Tensor:
    name = layer.active_adapters[0]
    down, up = layer.lora_A[name].weight, layer.lora_B[name].weight
    if layer.disable_adapters or layer.merged or options or down.dtype != x.dtype:
        result: torch.Tensor = type(layer).forward(layer, x, *others, **options)
        return result
    base = layer.base_layer
    joined: torch.Tensor = LoraProduct.apply(  # type: ignore[no-untyped-call]
        x, base.weight, base.bias, down, up, layer.scaling[name]
    )
    return joined
