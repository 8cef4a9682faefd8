"""Our norm gives Transformers' bits and gradients."""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Any

import pytest
import torch
from torch import nn
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from afina.methods import Full, Lora
from afina.models.load import load
from afina.models.rms_norm import fuse
from afina.models.sources import Base
from afina.tasks import Generate
from tests.tiny import Kind


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_equal_bits_and_gradients(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    plain, ours = LlamaRMSNorm(48), LlamaRMSNorm(48)
    for norm in (plain, ours):
        norm.weight.data = torch.linspace(0.2, 2.0, 48).to(dtype)
        norm.weight.requires_grad_(False)
    assert fuse(nn.Sequential(ours)) == 1
    x = (3 * torch.randn(2, 7, 48)).to(dtype)
    upstream = torch.randn(2, 7, 48).to(dtype)
    found = []
    for norm in (plain, ours):
        given = x.clone().requires_grad_()
        out = norm(given)
        out.backward(upstream)
        found.append((out.detach(), given.grad))
    assert torch.equal(found[0][0], found[1][0])
    tolerance = 1e-5 if dtype == torch.float32 else 3e-2
    assert torch.allclose(found[0][1].float(), found[1][1].float(), rtol=tolerance, atol=tolerance)


def test_a_norm_that_gives_something_else_stays() -> None:
    assert fuse(nn.Sequential(Gemma3RMSNorm(48).requires_grad_(False))) == 0
    assert fuse(nn.Sequential(LlamaRMSNorm(48))) == 0  # its weight would train


def test_only_adapters_over_frozen_norms_get_it(tiny: Callable[[Kind], Base]) -> None:
    def ours(model: Any) -> int:
        norms = [m for m in model.network.modules() if type(m).__name__.endswith("RMSNorm")]
        return sum(isinstance(vars(m).get("forward"), MethodType) for m in norms)

    task = Generate(answer="text")
    assert ours(load(tiny("llama"), task, Lora())) == 5
    assert ours(load(tiny("llama"), task, Lora(), exact=True)) == 0
    assert ours(load(tiny("llama"), task, Full())) == 0
