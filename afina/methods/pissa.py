"""LoRA that begins at the base's principal parts (PiSSA, Meng et al. 2024, arXiv 2404.02948).

While training, the base is W − s B₀ A₀ and the update begins as s B₀ A₀, the largest singular values
of W. On disk stands what moved, s (B A − B₀ A₀), as a LoRA of twice the rank [A; A₀], [B, −B₀] over
the untouched W: any reader of PEFT's files takes it. Opened here, it is taken apart again, so that
the model is bit for bit the one that was trained.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

INIT = "pissa_niter_16"
"""PEFT's name of the start, by a randomised decomposition (seeded) of sixteen rounds: seconds where
the whole one takes minutes."""


def remember(module: torch.nn.Module) -> None:
    """Keep A₀ and B₀ of every layer beside what will move."""
    for layer, name in _layers(module):
        layer.register_buffer("start_a", _weight(layer.lora_A, name).clone(), persistent=False)
        layer.register_buffer("start_b", _weight(layer.lora_B, name).clone(), persistent=False)


def joined(module: torch.nn.Module, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """``state`` (A and B by their names in ``module``) with A₀ and −B₀ behind them."""
    import torch

    starts = {
        f"{path}.lora_{side}.{name}.weight": start
        for path, layer, name in _named_layers(module)
        for side, start in (("A", layer.start_a), ("B", layer.start_b))
    }
    return {
        name: torch.cat([own, starts[name].to(own.device)], dim=0)
        if ".lora_A." in name
        else torch.cat([own, -starts[name].to(own.device)], dim=1)
        for name, own in state.items()
    }


def parted(module: torch.nn.Module, saved: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """A and B of what ``joined`` gave; A₀ and B₀ are taken out of the base's weights again.

    A layer that ``saved`` does not name is left as it is: what is missing is told by who reads.
    """
    import torch

    own = dict(saved)
    for path, layer, name in _named_layers(module):
        names = f"{path}.lora_A.weight", f"{path}.lora_B.weight"
        rank = _weight(layer.lora_A, name).shape[0]
        if not all(n in own for n in names) or own[names[0]].shape[0] != 2 * rank:
            continue
        both_a, both_b = own[names[0]], own[names[1]]
        start_a, start_b = both_a[rank:].contiguous(), -both_b[:, rank:].contiguous()
        own[names[0]] = both_a[:rank].contiguous()
        own[names[1]] = both_b[:, :rank].contiguous()
        with torch.no_grad():
            _take_out(layer, name, start_a, start_b)
        layer.register_buffer("start_a", start_a, persistent=False)
        layer.register_buffer("start_b", start_b, persistent=False)
    return own


def _take_out(layer: Any, name: str, start_a: torch.Tensor, start_b: torch.Tensor) -> None:
    """W becomes W − s B₀ A₀, in float32 and in the order in which PEFT's own start does it."""
    import torch

    base = layer.get_base_layer().weight
    weight = base.data.to(torch.float32)
    weight = weight.t() if layer.fan_in_fan_out else weight
    weight = weight - layer.scaling[name] * start_b @ start_a
    weight = weight.to(base.dtype)
    base.data = weight.t() if layer.fan_in_fan_out else weight


def _weight(pair: Any, name: str) -> torch.Tensor:
    weight: torch.Tensor = pair[name].weight.detach()
    return weight


def _layers(module: torch.nn.Module) -> Iterator[tuple[Any, str]]:
    for _, layer, name in _named_layers(module):
        yield layer, name


def _named_layers(module: torch.nn.Module) -> Iterator[tuple[str, Any, str]]:
    """(name in the module, LoRA layer, name of its adapter)."""
    for path, layer in module.named_modules():
        if hasattr(layer, "lora_A") and hasattr(layer, "get_base_layer"):
            yield path, layer, str(layer.active_adapters[0])
