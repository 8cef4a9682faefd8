"""(IA)³: learned factors on keys, values and feed-forward activations (Liu et al. 2022, 2205.05638)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from afina.methods.blocks import find_blocks
from afina.methods.lora import peft_task
from afina.types import Head, Kept, Method, Move

if TYPE_CHECKING:
    import torch


class Ia3(Method):
    """One factor for each key, value and feed-forward activation: the fewest numbers of all,
    mergeable. Where a base makes queries, keys and values in one layer, the queries have one too."""

    name: Literal["ia3"] = "ia3"

    keeps: ClassVar[tuple[Kept, ...]] = ("peft",)

    @property
    def precise(self) -> bool:
        return True

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        from peft import IA3Config, get_peft_model

        blocks = find_blocks(module)
        inputs = [block.feed_forward for block in blocks]
        config = IA3Config(
            target_modules=[name for block in blocks for name in block.keys_values] + inputs,
            feedforward_modules=inputs,
            fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in module.modules()),
            task_type=peft_task(module, head),
        )
        wrapped: torch.nn.Module = get_peft_model(module, config, autocast_adapter_dtype=False)
        return wrapped

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        # A factor that changes nothing is 1; decay would pull it to 0.
        return {n: Move(decays=False) for n, p in module.named_parameters() if p.requires_grad}

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        return 3e-3, "(IA)³, the rate of Liu et al. 2022 for all tasks"
