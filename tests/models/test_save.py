"""What is saved is what was trained: PEFT reads it, merging keeps it, a stranger is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForCausalLM

from afina.errors import ModelError
from afina.methods import Full, Lora, Partial, QLora
from afina.models.load import Model, load
from afina.models.save import merge, open_model, save_model
from afina.models.sources import Base
from afina.tasks import Classify, Generate
from afina.train.batches import collate
from afina.train.gate import outputs
from afina.types import Batch, ChatExample, LabelledExample, Message, Method, Task
from tests.tiny import Kind

CLASSIFY = Classify(labels=("a", "b", "c"), several=False)
METHODS: list[Method] = [
    Full(),
    Partial(train_layers=1),
    Lora(rank=4),
    Lora(rank=4, dora=True),
    QLora(rank=4),
]


def stir(model: Model) -> dict[str, torch.Tensor]:
    """Move the trained weights; returns them in float32 as training would hold them."""
    torch.manual_seed(3)
    for parameter in model.trained().values():
        parameter.data += 0.05 * torch.randn(parameter.shape).to(parameter.dtype)
    return {n: p.detach().float().clone() for n, p in model.trained().items()}


def probe(model: Model) -> Batch:
    if model.head == "labels":
        texts = ["I lost my card", "the kitchen is closed"]
        examples: list[Any] = [
            LabelledExample(id=t, where="", text=t, labels=("a",)) for t in texts
        ]
    else:
        examples = [
            ChatExample(id=q, where="", messages=(Message("user", q), Message("assistant", a)))
            for q, a in [("one", "two three"), ("the capital", "Paris")]
        ]
    rows = [model.task.encode(e, model.renderer) for e in examples]
    return collate(rows, kind=model.task.targets, device=model.device)


@pytest.mark.parametrize(
    "method", METHODS, ids=lambda m: m.name + ("-dora" if getattr(m, "dora", 0) else "")
)
@pytest.mark.parametrize(("kind", "task"), [("llama", Generate()), ("minilm", CLASSIFY)])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_reopened_is_equal(
    tiny: Callable[[Kind], Base],
    tmp_path: Path,
    method: Method,
    kind: Kind,
    task: Task,
    precision: str,
) -> None:
    base = tiny(kind)
    model = load(base, task, method, dtype=getattr(torch, precision))
    for name, parameter in model.network.named_parameters():
        if parameter.is_floating_point() and not name.startswith("head."):
            parameter.data = parameter.data.to(model.dtype)
    weights = stir(model)
    before = outputs(model, probe(model))
    save_model(model, tmp_path / "model", weights, {"run": "r"})
    again = open_model(tmp_path / "model", base=base)
    assert torch.equal(outputs(again, probe(again)), before)
    assert not again.trained()
    fresh = load(base, task, dtype=getattr(torch, precision))
    assert not torch.equal(outputs(fresh, probe(fresh)), before)


@pytest.mark.parametrize(
    ("kind", "knobs"),
    [
        ("llama", {}),
        ("llama", {"dora": True}),
        ("llama", {"start": "pissa"}),
        ("gpt2", {"start": "pissa", "rslora": True}),
    ],
    ids=["lora", "dora", "pissa", "pissa-rslora"],
)
def test_peft_reads_the_adapter(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind, knobs: dict[str, Any]
) -> None:
    """On the untouched base, whose principal parts PiSSA had taken out while it trained."""
    from peft import PeftModel

    base = tiny(kind)
    model = load(base, Generate(), Lora(rank=4, **knobs))
    save_model(model, tmp_path / "m", stir(model), {})
    other = PeftModel.from_pretrained(
        AutoModelForCausalLM.from_pretrained(base.folder), tmp_path / "m"
    ).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        ours = model.network.core(input_ids=ids).logits
        theirs = other(input_ids=ids).logits
    assert torch.allclose(ours, theirs, atol=1e-5)
    named = json.loads((tmp_path / "m" / "adapter_config.json").read_text())
    assert named["base_model_name_or_path"] == base.name


def test_transformers_reads_the_full_model(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    model = load(tiny("minilm"), CLASSIFY, Full())
    save_model(model, tmp_path / "m", stir(model), {})
    other = AutoModel.from_pretrained(tmp_path / "m", add_pooling_layer=False).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        ours, theirs = model.network.core(ids)[0], other(ids)[0]
    assert torch.allclose(ours, theirs, atol=1e-6)
    assert set(load_file(tmp_path / "m" / "head.safetensors")) == {"weight", "bias"}


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_merged_is_equal(tiny: Callable[[Kind], Base], kind: Kind) -> None:
    model = load(tiny(kind), Generate(), Lora(rank=4))
    stir(model)
    before = outputs(model, probe(model))
    merged = merge(model)
    assert not any("lora" in n for n, _ in merged.network.named_parameters())
    assert torch.allclose(outputs(merged, probe(merged)), before, atol=1e-4)


def test_four_bits_do_not_merge(tiny: Callable[[Kind], Base]) -> None:
    with pytest.raises(ModelError, match="4-bit"):
        merge(load(tiny("llama"), Generate(), QLora(rank=4)))


def _drop(saved: dict[str, torch.Tensor]) -> None:
    saved.pop(next(iter(saved)))


def _rename(saved: dict[str, torch.Tensor]) -> None:
    name = next(iter(saved))
    saved["other." + name] = saved.pop(name)


def _reshape(saved: dict[str, torch.Tensor]) -> None:
    name = next(iter(saved))
    saved[name] = torch.cat([saved[name], saved[name]])


@pytest.mark.parametrize("damage", [_drop, _rename, _reshape])
def test_a_changed_adapter_is_refused(
    tiny: Callable[[Kind], Base], tmp_path: Path, damage: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    base = tiny("llama")
    model = load(base, Generate(), Lora(rank=4))
    save_model(model, tmp_path / "m", stir(model), {})
    path = tmp_path / "m" / "adapter_model.safetensors"
    saved = load_file(path)
    damage(saved)
    save_file(saved, path)
    with pytest.raises(ModelError) as caught:
        open_model(tmp_path / "m", base=base)
    assert caught.value.do


def test_another_base_is_refused(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    model = load(tiny("llama"), Generate(), Lora(rank=4))
    save_model(model, tmp_path / "m", stir(model), {})
    with pytest.raises(ModelError, match="not the one that was tuned"):
        open_model(tmp_path / "m", base=replace(tiny("llama"), sha256="0" * 64))
    with pytest.raises(ModelError, match="no tuned model"):
        open_model(tmp_path)
