"""Prefix tuning: learned keys and values before every row (Li & Liang 2021, arXiv 2101.00190)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from afina.methods.virtual import check_virtual
from afina.types import Head, Kept, Method

if TYPE_CHECKING:
    import torch


class Prefix(Method):
    """Learned keys and values that every layer sees before the text; the base stays as it is."""

    name: Literal["prefix"] = "prefix"
    length: int = Field(20, ge=1, le=4096)
    """Virtual tokens: so many places of the context are theirs."""
    reparametrise: bool = True
    """Learn them through a small network, steadier than directly; only its result is kept."""
    hidden: int = Field(512, ge=1, le=16_384)
    """Width of that network; 512 in the paper."""

    keeps: ClassVar[tuple[Kept, ...]] = ("peft",)

    @property
    def precise(self) -> bool:
        return True

    @property
    def virtual_tokens(self) -> int:
        return self.length

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        from peft import PrefixTuningConfig, get_peft_model
        from torch.nn import init

        check_virtual(module, keys_and_values=True)
        config = PrefixTuningConfig(
            num_virtual_tokens=self.length,
            prefix_projection=self.reparametrise,
            encoder_hidden_size=self.hidden,
            task_type="CAUSAL_LM" if head == "tokens" else "FEATURE_EXTRACTION",
        )
        wrapped: torch.nn.Module = get_peft_model(module, config, autocast_adapter_dtype=False)
        # Keys and values of zero to begin with: random ones drown what the base knows.
        encoder: Any = wrapped.prompt_encoder["default"]  # type: ignore[index]
        last = encoder.transform[-1] if self.reparametrise else encoder.embedding
        for parameter in last.parameters():
            init.zeros_(parameter)
        return wrapped

    def opened(self) -> Method:
        return self.model_copy(update={"reparametrise": False})

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        if self.reparametrise:
            return 1e-3, "a prefix through its network (Li & Liang 2021 take 5e-5 on far more rows)"
        return 1e-2, "a prefix learned directly, as in P-tuning v2 (Liu et al. 2022)"
