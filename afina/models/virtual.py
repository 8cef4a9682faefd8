"""Virtual tokens: learned vectors (``prompt``) or keys and values (``prefix``) before every row.

PEFT keeps and saves them, but puts them before the rows in a forward pass of its own, one for each
kind of task. Here the same is done in one place for every network, in training, in evaluation and
behind the cache that generation uses: what comes out belongs to the real tokens alone. The prefix is
made once for a batch and not once a row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.cache_utils import Cache, DynamicCache


def virtual_tokens(module: nn.Module) -> int:
    """How many virtual tokens stand before every row."""
    config = getattr(module, "active_peft_config", None)
    return int(config.num_virtual_tokens) if config is not None and config.is_prompt_learning else 0


def run(
    module: nn.Module,
    core: Any,
    ids: torch.Tensor,
    mask: torch.Tensor | None,
    *,
    causal: bool,
    **options: Any,
) -> Any:
    """The output of ``core`` for right-padded ids [B, T], behind the virtual tokens of ``module``.

    ``core``: the Transformers network in ``module``, or its body. ``mask`` [B, T] marks real
    tokens; ``causal`` says whether a token sees only what stands before it.
    """
    count = virtual_tokens(module)
    if not count:
        return core(input_ids=ids, attention_mask=mask, **options)
    rows = ids.shape[0]
    if mask is not None:
        mask = torch.cat([mask.new_ones(rows, count), mask], dim=1)
    if _is_prefix(module):
        if mask is not None and not causal:
            mask = _two_way(mask, ids.shape[1], core.dtype)
        cache = DynamicCache(
            [(k.expand(rows, -1, -1, -1), v.expand(rows, -1, -1, -1)) for k, v in _prefix(module)]
        )
        return core(input_ids=ids, attention_mask=mask, past_key_values=cache, **options)
    if "token_type_ids" in options:
        options["token_type_ids"] = nn.functional.pad(options["token_type_ids"], (count, 0))
    words = core.get_input_embeddings()(ids)
    vectors = _prompt(module).to(words.dtype).expand(rows, -1, -1)
    out = core(inputs_embeds=torch.cat([vectors, words], dim=1), attention_mask=mask, **options)
    return _behind(out, count, core)


def fill(module: nn.Module, core: Any, cache: Cache) -> None:
    """Put the virtual tokens into an empty cache of one row, as generation needs them."""
    if _is_prefix(module):
        for layer, (keys, values) in enumerate(_prefix(module)):
            cache.update(keys, values, layer)
        return
    vectors = _prompt(module).to(core.get_input_embeddings().weight.dtype)
    core(inputs_embeds=vectors, past_key_values=cache, use_cache=True)


def _is_prefix(module: Any) -> bool:
    return str(module.active_peft_config.peft_type.value) == "PREFIX_TUNING"


def _made(module: Any) -> torch.Tensor:
    """What the encoder of PEFT makes for one row, [1, V, …], float32."""
    encoder = module.prompt_encoder[module.active_adapter]
    device = encoder.embedding.weight.device
    places = torch.arange(virtual_tokens(module), device=device)[None]
    made: torch.Tensor = encoder(places)
    return made


def _prompt(module: Any) -> torch.Tensor:
    """Vectors [1, V, D]."""
    return _made(module)


def _prefix(module: Any) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """For each layer: keys and values [1, H, V, D] in the network's precision."""
    config = module.active_peft_config
    heads, count = config.num_attention_heads, config.num_virtual_tokens
    made = _made(module).to(module.get_base_model().dtype)
    made = made.view(1, count, config.num_layers * 2, heads, config.token_dim // heads)
    parts = made.permute(2, 0, 3, 1, 4)
    return [(parts[2 * i], parts[2 * i + 1]) for i in range(config.num_layers)]


def _two_way(mask: torch.Tensor, rows: int, dtype: torch.dtype) -> torch.Tensor:
    """[B, S] as what is added to the scores, [B, 1, T, S]: encoders make no mask for past keys."""
    added = torch.zeros(mask.shape, dtype=dtype, device=mask.device)
    added = added.masked_fill_(mask == 0, torch.finfo(dtype).min)
    return added[:, None, None, :].expand(-1, -1, rows, -1)


def _behind(out: Any, count: int, core: Any) -> Any:
    """The output without the places of the virtual tokens."""
    for name in ("last_hidden_state", "logits"):
        if getattr(out, name, None) is not None:
            setattr(out, name, getattr(out, name)[:, count:])
    if getattr(out, "pooler_output", None) is not None:
        out.pooler_output = core.pooler(out.last_hidden_state)
    return out
