"""Where the parts of a transformer's blocks are, found by their shape and not by a list of families.

Every family names its layers otherwise, but a block always holds attention (a child so named) and a
feed-forward part, and each ends in a projection back to the hidden size: those ends are what
adapters and (IA)³ need. Sees the network alone, before anything is wrapped around its layers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afina.errors import RecipeError

if TYPE_CHECKING:
    import torch

_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
_KEY_OR_VALUE = re.compile(r"^(k|v|key|value)(_\w+)?$|qkv|query_key_value|^c_attn$|^in_proj$")


@dataclass(frozen=True)
class Block:
    """One block, by the names of its layers in the network.

    ``attention``: the projection that ends each attention (an encoder-decoder's decoder has two).
    ``feed_forward``: the projection that ends the feed-forward part. ``keys_values``: the layers
    that make keys and values, or the one that makes them together with the queries.
    """

    name: str
    attention: tuple[str, ...]
    feed_forward: str
    keys_values: tuple[str, ...]


def find_blocks(module: torch.nn.Module) -> list[Block]:
    """The blocks of a Transformers network, in order. Raises RecipeError where none is found, or
    where one has no attention or no feed-forward part of the usual kind (Mamba, experts)."""
    from torch.nn import ModuleList

    hidden = int(module.config.hidden_size)  # type: ignore[arg-type, union-attr]
    lists: list[str] = []
    for name, child in module.named_modules():
        inside = any(name.startswith(outer + ".") for outer in lists)
        if isinstance(child, ModuleList) and not inside and _has_attention(child):
            lists.append(name)
    found = [
        _block(f"{name}.{index}", block, hidden)
        for name in lists
        for index, block in enumerate(module.get_submodule(name).children())
    ]
    if not found:
        raise _unknown(type(module).__name__, "it has no list of blocks with attention")
    return found


def block_list(module: torch.nn.Module) -> tuple[str, int]:
    """Name and length of the longest list of equal blocks: the layers of the model.

    A list inside a block (T5's) is none of them. Of an encoder-decoder the decoder's: they are the
    upper ones.
    """
    from torch.nn import ModuleList

    best, depth = "", 0
    both = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    for name, child in module.named_modules():
        if both and "decoder" not in name.split("."):
            continue
        if best and name.startswith(f"{best}."):
            continue
        if isinstance(child, ModuleList) and len(child) > depth:
            best, depth = name, len(child)
    if not depth:
        raise RecipeError(
            "this base has no list of layers, so none can be frozen by count",
            where="method",
            do="name parameters in method.freeze and method.train, or take another method",
        )
    return best, depth


def is_projection(layer: torch.nn.Module) -> bool:
    """A linear layer, or GPT-2's transposed one."""
    from torch.nn import Linear

    return isinstance(layer, Linear) or type(layer).__name__ == "Conv1D"


def _block(name: str, block: torch.nn.Module, hidden: int) -> Block:
    projections = [(n, layer) for n, layer in block.named_modules() if is_projection(layer)]
    groups: dict[str, list[tuple[str, Any]]] = {}
    for inner, layer in projections:
        groups.setdefault(_attention_of(inner), []).append((inner, layer))
    rest = groups.pop("", [])
    ends = [_end(layers, hidden) for layers in groups.values()]
    feed_forward = _end(rest, hidden)
    if not ends or not all(ends) or not feed_forward:
        missing = "feed-forward part" if ends and all(ends) else "attention"
        raise _unknown(
            type(block).__name__, f"its block has no {missing} that ends in a projection"
        )
    return Block(
        name,
        attention=tuple(f"{name}.{end}" for end in ends),
        feed_forward=f"{name}.{feed_forward}",
        keys_values=tuple(
            f"{name}.{inner}"
            for layers in groups.values()
            for inner, _ in layers
            if _KEY_OR_VALUE.search(inner.rsplit(".", 1)[-1])
        ),
    )


def _attention_of(name: str) -> str:
    """The part of a layer's name up to the attention that holds it; empty outside of one."""
    parts = name.split(".")
    place = next((i for i, part in enumerate(parts[:-1]) if _ATTENTION.search(part)), None)
    return "" if place is None else ".".join(parts[: place + 1])


def _end(layers: list[tuple[str, Any]], hidden: int) -> str:
    """The last of the layers that projects to the hidden size."""
    ends = [name for name, layer in layers if _outputs(layer) == hidden]
    return ends[-1] if ends else ""


def _outputs(layer: Any) -> int:
    return int(layer.nf if type(layer).__name__ == "Conv1D" else layer.out_features)


def _has_attention(blocks: torch.nn.Module) -> bool:
    return all(
        any(is_projection(layer) and _attention_of(n) for n, layer in block.named_modules())
        for block in blocks.children()
    )


def _unknown(what: str, reason: str) -> RecipeError:
    return RecipeError(
        f"{what} is built in a way that this method does not know: {reason}",
        where="method",
        do="take method: lora, which needs linear layers only",
    )
