"""QLoRA: LoRA over a base in 4-bit NF4 (Dettmers et al. 2023, arXiv 2305.14314)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from afina.errors import RecipeError
from afina.methods.lora import Lora, linear_names
from afina.types import Head

if TYPE_CHECKING:
    import torch


class QLora(Lora):
    """LoRA over a base whose frozen weights are kept in 4 bits: a quarter of the memory."""

    name: Literal["qlora"] = "qlora"  # type: ignore[assignment]
    double_quantise: bool = True
    """Quantise the quantisation constants too: about 0.4 bit less a weight."""

    four_bit: ClassVar[bool] = True

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        from torch.nn import Linear

        if not any(isinstance(module.get_submodule(n), Linear) for n in linear_names(module)):
            raise RecipeError(
                "none of the layers of this base can be kept in 4 bits: they are no linear layers "
                "as PyTorch has them (GPT-2's)",
                where="method",
                do="take method: lora",
            )
        return super().apply(module, head)
