"""Our gated layer gives Transformers' bits and gradients, and keeps half as much."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from transformers import Gemma3TextConfig, LlamaConfig
from transformers.models.gemma3.modeling_gemma3 import Gemma3MLP
from transformers.models.llama.modeling_llama import LlamaMLP

from afina.methods import Full, Hybrid, Lora
from afina.models import gated, lora_linear
from afina.models.load import load
from afina.models.sources import Base
from afina.tasks import Generate
from tests.tiny import Kind

SIZES: dict[str, int] = {"hidden_size": 24, "intermediate_size": 40, "num_attention_heads": 2}


def with_updates(kind: type[Any], dtype: torch.dtype) -> tuple[Any, Any]:
    """A gated layer with low-rank updates that say something: as PEFT and we have its products, and the
    same with ours between them."""
    torch.manual_seed(0)
    config = LlamaConfig(**SIZES) if kind is LlamaMLP else Gemma3TextConfig(**SIZES)
    plain = torch.nn.Sequential(kind(config).to(dtype))
    inject_adapter_in_model(LoraConfig(r=4, target_modules="all-linear"), plain)
    plain.to(dtype)
    for name, parameter in plain.named_parameters():
        parameter.requires_grad_("lora_" in name)
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    ours = copy.deepcopy(plain)
    assert lora_linear.fuse(plain) == lora_linear.fuse(ours) == 3
    assert gated.fuse(ours) == 1
    return plain[0], ours[0]


def worked(layer: Any, x: torch.Tensor) -> tuple[list[torch.Tensor], int]:
    """Result and gradients of one pass, and how many numbers were kept for the way back."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    given = x.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        out = layer(given)
    weights = {p.untyped_storage().data_ptr() for p in layer.parameters()}
    out.backward(torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype))
    moved = [p.grad for p in layer.parameters() if p.requires_grad]
    return [out.detach(), given.grad, *moved], sum(n for p, n in kept.items() if p not in weights)


@pytest.mark.parametrize("kind", [LlamaMLP, Gemma3MLP])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_bits_and_fewer_numbers_kept(kind: type[Any], dtype: torch.dtype) -> None:
    plain, ours = with_updates(kind, dtype)
    x = torch.randn(2, 9, 24).to(dtype)
    (wanted, before), (found, after) = worked(plain, x), worked(ours, x)
    assert len(found) == 2 + 6
    for one, other in zip(found, wanted, strict=True):
        assert one is not None and other is not None and torch.equal(one, other)
    assert before - after == 2 * 2 * 9 * 40


def test_a_layer_that_gives_something_else_stays() -> None:
    plain, _ = with_updates(LlamaMLP, torch.float32)
    other = copy.deepcopy(plain)
    other.forward = lambda x: plain.forward(x) + 1
    assert gated.fuse(torch.nn.Sequential(other)) == 0


def test_an_update_that_is_switched_off_or_gone_is_left_out() -> None:
    plain, ours = with_updates(LlamaMLP, torch.float32)
    x = torch.randn(1, 5, 24)
    tuned = ours(x)
    for layer in (plain, ours):
        layer.down_proj.enable_adapters(False)
    assert torch.equal(plain(x), ours(x)) and not torch.equal(ours(x), tuned)
    for layer in (plain, ours):  # as it is behind merging
        layer.down_proj = layer.down_proj.base_layer
    assert torch.equal(plain(x), ours(x))


def test_only_adapters_get_it_and_bottlenecks_stay(tiny: Callable[[Kind], Base]) -> None:
    def ours(model: Any) -> int:
        layers = [m for m in model.network.modules() if hasattr(m, "act_fn")]
        return sum(isinstance(vars(m).get("forward"), MethodType) for m in layers)

    task = Generate(answer="text")
    assert ours(load(tiny("llama"), task, Lora())) == 2
    assert ours(load(tiny("llama"), task, Lora(), exact=True)) == 0
    assert ours(load(tiny("llama"), task, Full())) == 0
    hybrid = load(tiny("llama"), task, Hybrid())
    last = next(m for m in hybrid.network.modules() if hasattr(m, "act_fn"))
    x = torch.randn(1, 3, last.down_proj.base_layer.out_features)
    before = last(x)
    torch.nn.init.ones_(last.down_proj.bottleneck.up.bias)
    assert torch.allclose(last(x), before + 1, atol=1e-5)
