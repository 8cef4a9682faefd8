"""LoRA: low-rank updates beside the frozen weights (Hu et al. 2021, arXiv 2106.09685)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from afina.errors import RecipeError
from afina.methods import pissa
from afina.methods.blocks import block_list
from afina.types import Head, Kept, Method, Move

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

    plus_ratio: float | None = Field(None, ge=1.0, le=1000.0)
    """How many times as fast B moves as A (LoRA+, Hayou et al. 2024, arXiv 2402.12354, with 16);
    the learning rate is A's. Left out: both alike."""
    start: Literal["zero", "pissa"] = "zero"
    """Where the update begins: at nothing, or at the largest singular values of the base, which then
    move in its place (PiSSA, Meng et al. 2024, arXiv 2404.02948)."""

    keeps: ClassVar[tuple[Kept, ...]] = ("peft",)

    @model_validator(mode="after")
    def _start_can_be_taken_out(self) -> Lora:
        if self.start == "pissa" and self.dora:
            raise ValueError(
                "start: pissa is kept as the difference of two updates, which dora does not have"
            )
        if self.start == "pissa" and self.four_bit:
            raise ValueError(
                "start: pissa takes a part out of the base's weights, which 4 bits cannot hold"
            )
        return self

    @property
    def precise(self) -> bool:
        return self.start == "pissa"  # small steps of weights that begin large

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
            lora_alpha=_whole(self.scale),
            lora_dropout=self.dropout,
            target_modules=self._chosen(module, names),
            use_dora=self.dora,
            use_rslora=self.rslora,
            init_lora_weights=pissa.INIT if self.start == "pissa" else True,
            fan_in_fan_out=any(type(m).__name__ == "Conv1D" for m in module.modules()),
            task_type=peft_task(module, head),
        )
        wrapped: torch.nn.Module = get_peft_model(module, config, autocast_adapter_dtype=False)
        if self.start == "pissa":
            pissa.remember(wrapped)
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

    def opened(self) -> Method:
        return self.model_copy(update={"start": "zero"})

    def written(
        self, module: torch.nn.Module, state: Mapping[str, torch.Tensor]
    ) -> tuple[Mapping[str, torch.Tensor], Mapping[str, Any]]:
        if self.start != "pissa":
            return state, {}
        alpha = _whole(self.scale * (2**0.5 if self.rslora else 2))
        changed = {"r": 2 * self.rank, "lora_alpha": alpha, "init_lora_weights": True}
        return pissa.joined(module, state), changed

    def read(
        self, module: torch.nn.Module, saved: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        return saved if self.start != "pissa" else pissa.parted(module, saved)

    def moves(self, module: torch.nn.Module) -> Mapping[str, Move]:
        if self.plus_ratio is None:
            return {}
        faster = Move(rate=self.plus_ratio)
        return {n: faster for n, _ in module.named_parameters() if ".lora_B." in n}

    @property
    def scale(self) -> float:
        """Alpha, given or derived."""
        return self.alpha if self.alpha is not None else 2.0 * self.rank

    def learning_rate(self, parameters: int, head: Head) -> tuple[float, str]:
        """By size as Schulman et al. 2025 find it (about ten times that of full fine-tuning). LoRA+
        spreads it around the same mean; PiSSA moves what the base knows, and is held lower."""
        rate, reason = 2e-4, "LoRA on a base above 3,000 M parameters"
        for limit, usual in ((500e6, 1e-3), (3e9, 5e-4)):
            if parameters <= limit:
                rate, reason = usual, f"LoRA on a base up to {limit / 1e6:,.0f} M parameters"
                break
        if self.start == "pissa":
            rate, reason = min(rate, 2e-4), "PiSSA moves the principal parts of the base itself"
        if self.plus_ratio:
            rate = float(f"{rate / self.plus_ratio**0.5:.2g}")
            reason += f"; of A, with B {self.plus_ratio:g} times as fast around the same mean"
        return rate, reason


def linear_names(module: torch.nn.Module) -> list[str]:
    """Names of the linear layers, the output head left out."""
    from torch.nn import Linear

    output = getattr(module, "get_output_embeddings", lambda: None)()
    return [
        name
        for name, layer in module.named_modules()
        if (isinstance(layer, Linear) or type(layer).__name__ == "Conv1D") and layer is not output
    ]


def peft_task(module: torch.nn.Module, head: Head) -> str:
    """What PEFT calls the use of the network."""
    if head != "tokens":
        return "FEATURE_EXTRACTION"
    both = getattr(getattr(module, "config", None), "is_encoder_decoder", False)
    return "SEQ_2_SEQ_LM" if both else "CAUSAL_LM"


def _ends(name: str, target: str) -> bool:
    return name == target or name.endswith("." + target)


def _whole(number: float) -> float:
    """As an integer where it is one: some readers of PEFT's files take nothing else."""
    return int(number) if number == int(number) else number
