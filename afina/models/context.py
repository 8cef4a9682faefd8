"""A base that reads more tokens than it was made for, by scaling its rotary positions (RoPE).

``linear``: all angles are divided (Chen et al. 2023, arXiv 2306.15595). ``ntk``: the base of the angles
grows, so that fast ones stay and slow ones stretch; the same formula as Transformers' ``dynamic``, for
the new length once and for all: there the angles hang on the longest row seen so far, and equal rows
would get unequal answers. ``yarn``: angle by angle between both, with a temperature (Peng et al. 2023,
arXiv 2309.00071). What is changed are keys of config.json, so Transformers opens what was saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from afina.errors import ModelError
from afina.models.quiet import quiet
from afina.models.sources import Base, resolve
from afina.recipe import Context, Recipe

FULL = "full_attention"
"""The layers that look at everything, where a family has angles of their own for them."""


def base_of(recipe: Recipe, *, say: Callable[[str], None] | None = None) -> Base:
    """The base of a recipe, as long as the recipe wants it. Raises what ``resolve`` and ``extended``
    raise."""
    return extended(resolve(recipe.base, say=say), recipe.train.context)


@quiet()
def extended(base: Base, context: Context | None) -> Base:
    """The base with positions for more tokens; as it is without ``context``.

    Raises ModelError for a base without rotary positions, one that is scaled already, or a length
    that it takes as it is.
    """
    if context is None or base.overrides:
        return base
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    where = "train.context"
    if context.length <= base.context_length:
        raise ModelError(
            f"{base.name} takes {base.context_length} tokens as it is",
            where=f"{where}.length",
            do="leave train.context out, or name more",
        )
    found: dict[str, Any] = getattr(config, "rope_parameters", None) or {}
    rope: dict[str, Any] = found.get(FULL, found)
    if base.kind != "decoder" or "rope_theta" not in rope:
        raise ModelError(
            f"{base.architecture} has no rotary positions that could be scaled",
            where=where,
            do="take a base that has (Llama's, Qwen's and Gemma's families, for one), or leave it out",
        )
    if rope.get("rope_type", "default") != "default":
        raise ModelError(
            f"its positions are scaled already ({rope['rope_type']})",
            where=where,
            do="leave it out",
        )
    own = int(config.max_position_embeddings)
    scaled = {**rope, **_scaled(context, own, rope, config)}
    changed = {**found, FULL: scaled} if FULL in found else scaled
    overrides = {"rope_parameters": changed, "max_position_embeddings": context.length}
    return replace(base, context_length=context.length, overrides=overrides)


def _scaled(context: Context, own: int, rope: Mapping[str, Any], config: Any) -> dict[str, Any]:
    """The keys of the angles; ``own`` is the length that the base was made for."""
    factor = context.length / own
    if context.scaling == "linear":
        return {"rope_type": "linear", "factor": factor}
    if context.scaling == "yarn":
        return {
            "rope_type": "yarn",
            "factor": factor,
            "original_max_position_embeddings": own,
        }
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = int(size * rope.get("partial_rotary_factor", 1.0))
    grown = factor * context.length / own - (factor - 1)
    return {"rope_type": "default", "rope_theta": rope["rope_theta"] * grown ** (size / (size - 2))}
