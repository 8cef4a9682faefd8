"""LoRA: low-rank updates beside the frozen weights (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from afina.errors import RecipeError
from afina.methods.blocks import block_list
from afina.types import Head, Kept, Method

if TYPE_CHECKING:
    import torch


class Lora(Method):
    """Low-rank updates beside frozen weights: few numbers to train, small to keep, mergeable."""

    name: Literal["lora"] = "lora"
    rank: int = Field(16, ge=1, le=1024)
    """Rank r of each update; more can learn more and costs a little more."""
    alpha: float | None = Field(None, gt=0)
    """Scale of the update: it is multiplied by alpha / rank. Left out: 2 × rank."""
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    """Share of the inputs of each update dropped while training."""
    targets: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    """Which linear layers get an update: all but the output head, or those whose names end so."""
    layers: int | None = Field(None, ge=1)
    """How many of the uppermost layers get an update; left out: all. The states of the layers below
    are then worked only once (``train.frozen_bottom``)."""
    dora: bool = False
    """Learn magnitude and direction apart (DoRA, Liu et al. 2024, arXiv 2402.09353)."""
    rslora: bool = False
    """Scale by alpha / √rank, steadier at high ranks (Kalajdzievski 2023, arXiv 2312.03732)."""

    keeps: ClassVar[tuple[Kept, ...]] = ("peft",)

    def apply(self, module: torch.nn.Module, head: Head) -> torch.nn.Module:
        from peft import LoraConfig, get_peft_model

        names = linear_names(module)
        if isinstance(self.targets, tuple):
            unmatched = [t for t in self.targets if not any(_ends(n, t) for n in names)]
            if unmatched:
                leaves = sorted({n.rsplit(".", 1)[-1] for n in names})
                raise RecipeError(
                    f"no linear layer is named {', '.join(unmatched)}",
                    where="method.targets",
                    do="linear layers of this base: " + ", ".join(leaves[:20]),
                )
        config = LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha if self.alpha is not None else 2 * self.rank,
            lora_dropout=self.dropout,
            target_modules=self._chosen(module, names),
            use_dora=self.dora,
            use_rslora=self.rslora,
            fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in module.modules()),
            task_type=_peft_task(module, head),
        )
        wrapped: torch.nn.Module = get_peft_model(module, config, autocast_adapter_dtype=False)
        return wrapped

    def _chosen(self, module: torch.nn.Module, names: list[str]) -> str | list[str]:
        """The layers that get an update, in PEFT's words: by their ends, or by their whole names."""
        if self.layers is None:
            return self.targets if isinstance(self.targets, str) else list(self.targets)
        prefix, depth = block_list(module)
        if self.layers > depth:
            raise RecipeError(
                f"{self.layers} layers to update, and the base has {depth}",
                where="method.layers",
                do=f"take at most {depth}",
            )
        upper = tuple(f"{prefix}.{number}." for number in range(depth - self.layers, depth))
        inside = [n for n in names if n.startswith(upper)]
        if isinstance(self.targets, str):
            return inside
        return [n for n in inside if any(_ends(n, t) for t in self.targets)]

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        if parameters <= 500e6:
            return 1e-3, "LoRA on a base up to 500 M parameters"
        if parameters <= 3e9:
            return 5e-4, "LoRA on a base up to 3,000 M parameters"
        return 2e-4, "LoRA on a base above 3,000 M parameters"


def linear_names(module: torch.nn.Module) -> list[str]:
    """Names of the linear layers, the output head left out."""
    from torch.nn import Linear

    output = getattr(module, "get_output_embeddings", lambda: None)()
    return [
        name
        for name, layer in module.named_modules()
        if (isinstance(layer, Linear) or type(layer).__name__ == "Conv1D") and layer is not output
    ]


def _peft_task(module: torch.nn.Module, head: Head) -> str:
    if head != "tokens":
        return "FEATURE_EXTRACTION"
    both = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    return "SEQ_2_SEQ_LM" if both else "CAUSAL_LM"


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith("." + target)
