"""Attention for short rows: three matrix products and a softmax, with its own backward pass.

The CPU's flash kernel pays a fixed price a head that rows of up to a few hundred tokens never earn
back, most of all in the backward pass, and those that are asked one token at a time never. This one
keeps the probabilities instead, and never repeats keys and values for grouped heads. Longer rows,
dropout and anything unusual go to PyTorch's own ``scaled_dot_product_attention``. Same mathematics; the
sums are ordered differently.

It is registered through Transformers' public interface; ``train.exact: true`` loads without it.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

NAME = "afina"
MAX_SCORES = 256 * 256
"""Queries times keys up to which the probabilities of a head are kept."""


class ShortAttention(torch.autograd.Function):
    """softmax(q kᵀ · scale + bias) v with kept probabilities; grouped heads share keys in place."""

    @staticmethod
    def forward(
        ctx: Any,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        bias: torch.Tensor | None,
        scale: float,
    ) -> torch.Tensor:
        """query [B, H, T, D]; key, value [B, K, S, D], H a multiple of K; bias float32, broadcast
        to [B, 1, T, S], or None → [B, H, T, D]."""
        batch, heads, rows, width = query.shape
        shared, keys = key.shape[1], key.shape[2]
        groups = heads // shared
        q = query.reshape(batch * shared, groups * rows, width)
        k = key.reshape(batch * shared, keys, width)
        v = value.reshape(batch * shared, keys, width)
        # k qᵀ is q kᵀ to the bit, and up to four times as fast where there are few queries.
        scores = torch.bmm(k, q.transpose(1, 2)).transpose(1, 2).contiguous().float().mul_(scale)
        if bias is not None:
            scores.view(batch, shared, groups, rows, keys).add_(
                bias.view(-1, 1, 1, *bias.shape[-2:])
            )
        kept = torch.softmax(scores, -1).to(query.dtype)
        ctx.save_for_backward(q, k, v, kept)
        ctx.scale, ctx.shapes = scale, (query.shape, key.shape)
        return torch.bmm(kept, v).view(batch, heads, rows, width)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        q, k, v, kept = ctx.saved_tensors
        query_shape, key_shape = ctx.shapes
        upstream = upstream.reshape(q.shape)
        value_slope = torch.bmm(kept.transpose(1, 2), upstream)
        slope = torch.bmm(upstream, v.transpose(1, 2))
        slope = torch._softmax_backward_data(slope, kept, -1, slope.dtype).mul_(ctx.scale)
        query_slope = torch.bmm(slope, k).view(query_shape)
        key_slope = torch.bmm(slope.transpose(1, 2), q).view(key_shape)
        return query_slope, key_slope, value_slope.view(key_shape), None, None


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    **other: Any,
) -> tuple[torch.Tensor, None]:
    """Attention in the form that Transformers calls: returns ([B, T, H, D], None)."""
    if (layout := other.pop("layout", None)) is not None:
        from afina.models import flat

        scale = scaling if scaling is not None else float(query.shape[-1]) ** -0.5
        window = other.get("sliding_window")
        _refuse_unusual(query, dropout, other)
        return flat.attend(query, key, value, layout, scale, window), None
    if not _short(query, key, dropout, other):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        result: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=is_causal,
            **other,
        )
        return result
    rows, keys = query.shape[2], key.shape[2]
    causal = bool(getattr(module, "is_causal", True)) if is_causal is None else is_causal
    bias: torch.Tensor | None = None
    if attention_mask is not None:
        bias = _as_bias(attention_mask[..., :keys])
    elif causal and rows > 1:
        bias = _causal_bias(rows, keys, query.device)
    scale = scaling if scaling is not None else float(query.shape[-1]) ** -0.5
    out: torch.Tensor = ShortAttention.apply(  # type: ignore[no-untyped-call]
        query, key, value, bias, scale
    )
    return out.transpose(1, 2).contiguous(), None


def register() -> str:
    """Make the attention known to Transformers; returns the name to load a model with."""
    from transformers import AttentionInterface
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    return NAME


def _short(query: torch.Tensor, key: torch.Tensor, dropout: float, other: dict[str, Any]) -> bool:
    return (
        query.device.type == "cpu"
        and dropout == 0.0
        and query.shape[2] * key.shape[2] <= MAX_SCORES
        and other.get("softcap") is None
        and other.get("s_aux") is None
        and other.get("position_bias") is None
    )


def _refuse_unusual(query: torch.Tensor, dropout: float, other: dict[str, Any]) -> None:
    unusual = [n for n in ("softcap", "s_aux", "position_bias") if other.get(n) is not None]
    if dropout or unusual or query.shape[0] != 1:
        raise ValueError("a flat line takes plain attention without dropout")


def _as_bias(mask: torch.Tensor) -> torch.Tensor:
    """A boolean mask (True: look) or an additive one, as float32 to add."""
    if mask.dtype != torch.bool:
        return mask.float()
    bias = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device)
    return bias.masked_fill_(~mask, torch.finfo(torch.float32).min)


def _causal_bias(rows: int, keys: int, device: torch.device) -> torch.Tensor:
    lowest = torch.finfo(torch.float32).min
    bias = torch.full((rows, keys), lowest, dtype=torch.float32, device=device)
    return bias.triu_(1 + keys - rows)
