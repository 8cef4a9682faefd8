"""Bottleneck adapters and LoRA together: an experiment with its ablation in benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from afina.methods.adapter import Adapter
from afina.methods.blocks import find_blocks
from afina.methods.lora import Lora
from afina.types import Head, Kept, Method, Move

if TYPE_CHECKING:
    import torch


class Hybrid(Lora, Adapter):
    """Low-rank updates of the frozen layers, and bottlenecks between them, trained together.

    Each part moves at the rate that it has alone; the learning rate is LoRA's.
    """

    name: Literal["hybrid"] = "hybrid"  # type: ignore[assignment]

    keeps: ClassVar[tuple[Kept, ...]] = ("peft", "bottleneck")

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        blocks = find_blocks(module)
        wrapped = Lora.apply(self, module, head)
        self.insert(module, blocks)  # PEFT has put its layers into this very network
        return wrapped

    def opened(self) -> Method:
        return Lora.opened(self)

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        parameters = sum(p.numel() for p in module.parameters())
        slower = Adapter.learning_rate(self, parameters, "tokens")[0]
        slower /= Lora.learning_rate(self, parameters, "tokens")[0]
        own = Lora.moves(self, module)
        return {
            name: own[name] if name in own else Move(rate=1.0 if ".lora_" in name else slower)
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        }

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        rate, reason = Lora.learning_rate(self, parameters, head)
        return rate, f"{reason}; the bottlenecks at their own rate beside it"
