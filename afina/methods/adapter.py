"""Bottleneck adapters between the frozen layers (Houlsby et al. 2019, arXiv 1902.00751)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from afina.errors import RecipeError
from afina.methods.blocks import Block, find_blocks
from afina.types import Head, Kept, Method

if TYPE_CHECKING:
    import torch

REDUCTION = 16
"""Hidden size over bottleneck where nothing is said; 64 of 1024 did best in the paper."""


class Adapter(Method):
    """Small bottlenecks between the frozen layers; with them the blocks' layer norms move."""

    name: Literal["adapter"] = "adapter"
    size: int | None = Field(None, ge=1, le=8192)
    """Width of each bottleneck; left out: a sixteenth of the hidden size."""
    activation: Literal["gelu", "relu", "silu", "tanh"] = "gelu"
    """What stands between the way down and the way up."""
    variant: Literal["houlsby", "pfeiffer"] = "houlsby"
    """Where they stand: behind the attention and behind the feed-forward part of each block, or
    behind the feed-forward part only (Pfeiffer et al. 2020, arXiv 2005.00052): half as many."""
    layer_norms: bool = True
    """Whether the layer norms of the blocks move too, as in the paper."""

    keeps: ClassVar[tuple[Kept, ...]] = ("bottleneck",)

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        blocks = find_blocks(module)
        module.requires_grad_(False)
        self.insert(module, blocks)
        return module

    def insert(self, network: torch.nn.Module, blocks: list[Block]) -> None:
        """Set the bottlenecks into the Transformers network, and let its layer norms move."""
        from afina.methods import bottleneck

        width = int(network.config.hidden_size)  # type: ignore[arg-type, union-attr]
        size = self.size or max(1, width // REDUCTION)
        if size >= width:
            raise RecipeError(
                f"a bottleneck of {size} is no narrower than the base's {width}",
                where="method.size",
                do=f"take less than {width}; {max(1, width // REDUCTION)} is usual",
            )
        bottleneck.insert(network, self.places(blocks), width, size, self.activation)
        if self.layer_norms:
            for parameter in _norms(network, blocks):
                parameter.requires_grad_(True)

    def places(self, blocks: list[Block]) -> list[str]:
        """Names of the projections behind which a bottleneck stands."""
        if self.variant == "pfeiffer":
            return [block.feed_forward for block in blocks]
        return [place for block in blocks for place in (*block.attention, block.feed_forward)]

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return 3e-4, "adapters, the middle of the rates that Houlsby et al. 2019 sweep"


def _norms(network: torch.nn.Module, blocks: list[Block]) -> Iterator[Any]:
    """Parameters of the normalisations inside the blocks."""
    for block in blocks:
        for layer in network.get_submodule(block.name).modules():
            if "norm" in type(layer).__name__.lower():
                yield from layer.parameters(recurse=False)
