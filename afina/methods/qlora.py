"""QLoRA: LoRA over a base in 4-bit NF4 (Dettmers et al. 2023, arXiv 2305.14314)."""

from __future__ import annotations

from typing import ClassVar, Literal

from afina.methods.lora import Lora


class QLora(Lora):
    """LoRA over a base whose frozen weights are kept in 4 bits: a quarter of the memory."""

    name: Literal["qlora"] = "qlora"  # type: ignore[assignment]
    double_quantise: bool = True
    """Quantise the quantisation constants too: about 0.4 bit less a weight."""

    four_bit: ClassVar[bool] = True
