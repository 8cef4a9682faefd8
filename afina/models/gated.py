"""Gated feed-forward layers, down(act(gate x) · up x), that keep two tensors instead of four.

Autograd keeps the gate, what its activation gives, the other branch and their product: half of all that
a small decoder keeps for the backward pass. Here the gate and the other branch are kept, and the rest is
formed again by the same steps: equal bits both ways, for two element-wise passes more. Taken only by a
layer that is seen to give what this one gives, with a plain low-rank update on its last product
(``lora_linear``). ``train.exact: true`` leaves it out.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from afina.models.fused import fuse_where
from afina.models.lora_linear import allows, input_slope, parts, product, update_slopes

ACTIVATIONS: dict[str, tuple[Callable[..., torch.Tensor], Callable[..., torch.Tensor]]] = {
    "SiLUActivation": (nn.functional.silu, torch.ops.aten.silu_backward),
    "SiLU": (nn.functional.silu, torch.ops.aten.silu_backward),
    "GELUTanh": (
        partial(nn.functional.gelu, approximate="tanh"),
        partial(torch.ops.aten.gelu_backward, approximate="tanh"),
    ),
}
"""An activation by the name of its class: itself, and the gradient of its input from that of its result
and its input."""


class GatedProduct(torch.autograd.Function):
    """The last product of a gated layer, of act(gate) · up. Its weight W is frozen."""

    @staticmethod
    def forward(
        ctx: Any,
        gate: torch.Tensor,
        wide: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
        activation: str,
    ) -> torch.Tensor:
        """gate, wide [..., I]; weight [O, I], down (A) [R, I], up (B) [O, R] → [..., O]."""
        act, _ = ACTIVATIONS[activation]
        rows = act(gate).mul_(wide).reshape(-1, wide.shape[-1])
        result, inner = product(rows, weight, bias, down, up, scale)
        ctx.save_for_backward(gate, wide, weight, down, up, inner)
        ctx.scale, ctx.activation = scale, activation
        return result.view(*wide.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        gate, wide, weight, down, up, inner = ctx.saved_tensors
        act, act_slope = ACTIVATIONS[ctx.activation]
        slope = upstream.reshape(-1, upstream.shape[-1])
        inner_slope, up_slope = update_slopes(slope, inner, up, ctx.scale)
        opened = act(gate)
        down_slope = inner_slope.t() @ (opened * wide).view(-1, wide.shape[-1])
        both = input_slope(slope, inner_slope, weight, down).view(wide.shape)
        wide_slope = opened.mul_(both)
        gate_slope = act_slope(both.mul_(wide), gate)
        return gate_slope, wide_slope, None, None, down_slope, up_slope, None, None


def fuse(module: nn.Module) -> int:
    """Give every gated layer that allows it this forward pass; returns how many got it."""
    return fuse_where(module, _allows, _forward)


@torch.no_grad()
def _allows(layer: Any) -> bool:
    if not all(hasattr(layer, name) for name in ("gate_proj", "up_proj", "down_proj", "act_fn")):
        return False
    if type(layer.act_fn).__name__ not in ACTIVATIONS or not allows(layer.down_proj):
        return False
    weight = layer.down_proj.base_layer.weight
    probe = torch.linspace(-2.0, 3.0, 3 * len(weight)).view(3, -1).to(weight)
    try:
        return bool(torch.equal(layer(probe), _forward(layer, probe)))
    except (TypeError, ValueError, RuntimeError):  # it takes something else
        return False


def _forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    gate, wide, last = layer.gate_proj(x), layer.up_proj(x), layer.down_proj
    # Behind merging it is a plain layer again; a hook puts a bottleneck behind it.
    own = parts(last, wide.dtype) if hasattr(last, "lora_A") else None
    if own is None or last._forward_hooks or last._forward_pre_hooks:
        plain: torch.Tensor = last(layer.act_fn(gate) * wide)
        return plain
    found: torch.Tensor = GatedProduct.apply(  # type: ignore[no-untyped-call]
        gate, wide, *own, type(layer.act_fn).__name__
    )
    return found
