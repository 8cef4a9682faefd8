"""Attention over a flat line of tokens (``layout.Layout``), and whether a network allows one.

Queries, keys and values are gathered block by block; between gathering and going back stands the same
attention as for padded rows. The gradient of a shared token is the sum over the blocks that looked at
it. Assumes a decoder in which nothing but its attention looks at other tokens, and no dropout where
beginnings are shared; ``allows`` tries it on the network itself. ``train.exact: true`` and
``train.flat: false`` leave it out.
"""

from __future__ import annotations

from typing import Any, Literal

import torch

from afina.models.attention import ShortAttention
from afina.models.layout import Layout, lay_out

MAX_KEYS = 512
"""Longest row, in tokens, for which the probabilities are kept: twice that of padded rows, since a
shared beginning asks once."""


class Gather(torch.autograd.Function):
    """Heads [1, H, T, D] of a flat line as padded blocks [S, H, L, D]."""

    @staticmethod
    def forward(
        ctx: Any, heads: torch.Tensor, layout: Layout, side: Literal["query", "key"]
    ) -> torch.Tensor:
        _, count, tokens, width = heads.shape
        rows = heads[0].transpose(0, 1).reshape(tokens * count, width)
        index = layout.query_index if side == "query" else layout.key_index
        ctx.layout, ctx.side, ctx.shape = layout, side, heads.shape
        found = rows.index_select(0, layout.table(side, count))
        return found.view(len(index), count, index.shape[1], width)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        _, count, tokens, width = ctx.shape
        layout: Layout = ctx.layout
        table = layout.table(f"{ctx.side}_home", count)
        slope = upstream.reshape(-1, width).index_select(0, table).view(tokens, count, width)
        if ctx.side == "key":
            _add_shared(slope, upstream, layout)
        return slope.transpose(0, 1)[None], None, None


def _add_shared(slope: torch.Tensor, upstream: torch.Tensor, layout: Layout) -> None:
    """Add to the shared tokens' gradient [T, H, D] what the blocks below them say [S, H, K, D]."""
    for block in layout.blocks:
        if block.below:
            told = upstream[block.below, :, block.start : block.end].float().sum(0)
            own = slope[block.flat : block.flat + len(block.ids)]
            own.copy_(own.float() + told.transpose(0, 1))


class Return(torch.autograd.Function):
    """Padded blocks [S, H, Q, D] back to the flat line [1, T, H, D]."""

    @staticmethod
    def forward(ctx: Any, blocks: torch.Tensor, layout: Layout) -> torch.Tensor:
        count, width = blocks.shape[1], blocks.shape[3]
        ctx.layout, ctx.shape = layout, blocks.shape
        found = blocks.reshape(-1, width).index_select(0, layout.table("query_home", count))
        return found.view(1, layout.tokens, count, width)

    @staticmethod
    def backward(ctx: Any, upstream: torch.Tensor) -> Any:
        layout: Layout = ctx.layout
        _, count, longest, width = ctx.shape
        rows = upstream.reshape(-1, width)
        slope = rows.index_select(0, layout.table("query", count)).view(ctx.shape)
        for number, block in enumerate(layout.blocks):
            if len(block.ids) < longest:  # padding says nothing
                slope[number, :, len(block.ids) :].zero_()
        return slope, None


def attend(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    layout: Layout,
    scale: float,
    window: int | None,
) -> torch.Tensor:
    """query [1, H, T, D]; key, value [1, K, T, D], H a multiple of K → [1, T, H, D]."""
    q: torch.Tensor = Gather.apply(query, layout, "query")  # type: ignore[no-untyped-call]
    k: torch.Tensor = Gather.apply(key, layout, "key")  # type: ignore[no-untyped-call]
    v: torch.Tensor = Gather.apply(value, layout, "key")  # type: ignore[no-untyped-call]
    bias = layout.bias(window)
    if layout.longest <= MAX_KEYS:
        found = ShortAttention.apply(q, k, v, bias, scale)  # type: ignore[no-untyped-call]
    else:
        found = torch.nn.functional.scaled_dot_product_attention(
            q, k, v, attn_mask=bias.to(q.dtype), scale=scale, enable_gqa=True
        )
    result: torch.Tensor = Return.apply(found, layout)  # type: ignore[no-untyped-call]
    return result


def states(core: Any, layout: Layout) -> torch.Tensor:
    """Last hidden states [T, D] of a flat line, by a Transformers decoder."""
    out = core.base_model(
        input_ids=layout.ids[None],
        position_ids=layout.positions[None],
        # A mask of four dimensions is taken as it is; ours is in the layout.
        attention_mask=torch.zeros(1, 1, 1, 1),
        use_cache=False,
        layout=layout,
    )
    found: torch.Tensor = out.last_hidden_state[0]
    return found


def drops_out(core: Any) -> bool:
    """Whether a network drops something while it trains: shared tokens would be dropped alike."""
    layers = any(isinstance(m, torch.nn.Dropout) and m.p > 0 for m in core.modules())
    return layers or bool(getattr(core.config, "attention_dropout", 0.0))


@torch.no_grad()
def allows(core: Any) -> bool:
    """Whether a decoder gives the same states for a flat line as for rows one by one.

    Tried on three short rows of tokens, two of which share their beginning: a network that mixes
    tokens elsewhere, or does not hand the layout on to its attention, is told by its answers.
    """
    if next(core.parameters()).device.type != "cpu" or drops_out(core):
        return False
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randint(
        0, core.get_input_embeddings().num_embeddings, (40,), generator=generator
    ).tolist()
    rows = [drawn[:20], drawn[:12] + drawn[20:30], drawn[30:]]
    layout = lay_out(rows)
    training = core.training
    core.eval()
    try:
        flat = states(core, layout).float()
    except (TypeError, ValueError, RuntimeError, IndexError):
        return False
    else:
        alone = [core.base_model(input_ids=torch.tensor([r]), use_cache=False) for r in rows]
    finally:
        core.train(training)
    return all(
        float((flat[layout.places[i, : len(r)]] - a.last_hidden_state[0].float()).norm())
        < 0.05 * float(a.last_hidden_state.float().norm())
        for i, (r, a) in enumerate(zip(rows, alone, strict=True))
    )
