"""Bottleneck adapters: where they stand, how they begin, what moves, what is on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tf
from safetensors.torch import load_file, save_file

from afina.errors import ModelError, RecipeError
from afina.methods import Adapter
from afina.methods.blocks import find_blocks
from afina.models.load import load
from afina.models.save import open_model, save_model
from afina.models.sources import Base
from afina.tasks import Classify, Generate
from tests.tiny import Kind

CLASSIFY = Classify(labels=("a", "b"), several=False)


def network(kind: str) -> Any:
    """A network of each shape with random weights."""
    torch.manual_seed(5)
    ids: dict[str, Any] = {"vocab_size": 50, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "t5":
        config = tf.T5Config(
            d_model=32,
            d_ff=64,
            num_layers=2,
            num_heads=2,
            d_kv=16,
            decoder_start_token_id=0,
            feed_forward_proj="gated-gelu",
            **ids,
        )
        return tf.T5ForConditionalGeneration(config).eval()
    if kind == "gpt2":
        return tf.GPT2Model(tf.GPT2Config(n_embd=32, n_layer=2, n_head=2, **ids)).eval()
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        **ids,
    }
    if kind == "bert":
        return tf.BertModel(tf.BertConfig(pad_token_id=0, **sizes)).eval()
    return tf.LlamaModel(tf.LlamaConfig(**sizes)).eval()


def answer(model: Any) -> torch.Tensor:
    ids = torch.arange(3, 19).reshape(2, 8)
    extra = {"decoder_input_ids": ids[:, :5]} if model.config.model_type == "t5" else {}
    out: torch.Tensor = model(input_ids=ids, **extra)[0]
    return out


@pytest.mark.parametrize("variant", ["houlsby", "pfeiffer"])
@pytest.mark.parametrize(
    ("kind", "houlsby", "pfeiffer"),
    [("bert", 4, 2), ("gpt2", 4, 2), ("llama", 4, 2), ("t5", 10, 4)],
)
def test_begins_near_the_identity_and_trains_little(
    kind: str, houlsby: int, pfeiffer: int, variant: Any
) -> None:
    model = network(kind)
    before = answer(model).detach()
    untouched = {n: p.detach().clone() for n, p in model.named_parameters()}
    method = Adapter(size=4, variant=variant, layer_norms=False)
    module = method.apply(model, "labels")
    trained = {n for n, p in module.named_parameters() if p.requires_grad}
    count = houlsby if variant == "houlsby" else pfeiffer
    assert len(trained) == 4 * count, "two matrices and two biases each"
    assert sum(p.numel() for p in module.parameters() if p.requires_grad) == count * (
        2 * 32 * 4 + 32 + 4
    )
    after = answer(module)
    assert 0 < float((after.detach() - before).norm() / before.norm()) < 2e-2
    after.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert (parameter.grad is not None) == (name in trained), name
        if name in trained:
            assert float(parameter.grad.abs().max()) > 0, f"{name} is not reached"
        else:
            assert torch.equal(parameter, untouched[name])


def test_stands_before_the_residual_sum() -> None:
    """What a bottleneck adds goes into the stream of the block, once, beside the residual."""
    model = network("llama")
    model.norm = torch.nn.Identity()
    before = answer(model).detach()
    blocks = find_blocks(model)
    Adapter(size=4).apply(model, "labels")
    shift = torch.arange(32.0)
    with torch.no_grad():
        for block in blocks:
            for place in (*block.attention, block.feed_forward):
                model.get_submodule(place).bottleneck.up.weight.zero_()
        model.layers[1].mlp.down_proj.bottleneck.up.bias.copy_(shift)
    assert torch.allclose(answer(model), before + shift, atol=1e-5)


def test_a_bottleneck_is_what_the_paper_says() -> None:
    model = network("bert")
    Adapter(size=4, activation="relu").apply(model, "labels")
    made = model.encoder.layer[0].output.dense.bottleneck
    x = torch.randn(3, 64)
    through = model.encoder.layer[0].output.dense
    with torch.no_grad():
        made.down.bias.normal_()
        made.up.bias.normal_()
    y = torch.nn.functional.linear(x, through.weight, through.bias)
    by_hand = y + torch.relu(y @ made.down.weight.t() + made.down.bias) @ made.up.weight.t()
    assert torch.allclose(through(x), by_hand + made.up.bias, atol=1e-6)
    for layer in (made.down, made.up):
        assert 0.004 < float(layer.weight.detach().std()) < 0.012
        assert float(layer.weight.detach().abs().max()) <= 0.02


def test_the_layer_norms_of_the_blocks_move(tiny: Callable[[Kind], Base]) -> None:
    names = set(load(tiny("llama"), Generate(), Adapter(size=4)).trained())
    norms = {n for n in names if "bottleneck" not in n}
    assert norms == {
        f"module.model.layers.{i}.{norm}.weight"
        for i in (0, 1)
        for norm in ("input_layernorm", "post_attention_layernorm")
    }


def test_no_narrower_than_the_base_is_refused() -> None:
    with pytest.raises(RecipeError, match="no narrower") as caught:
        Adapter(size=32).apply(network("bert"), "labels")
    assert caught.value.where == "method.size"


def test_only_the_bottlenecks_are_on_disk(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    base = tiny("minilm")
    model = load(base, CLASSIFY, Adapter(size=4))
    weights = {n: p.detach().clone() for n, p in model.trained().items()}
    save_model(model, tmp_path / "m", weights, {})
    saved = load_file(tmp_path / "m" / "bottleneck.safetensors")
    assert {f"module.{n}" for n in saved} == set(weights) - {"head.weight", "head.bias"}
    card = json.loads((tmp_path / "m" / "bottleneck.json").read_text())
    assert card["base"]["sha256"] == base.sha256
    assert card["method"]["size"] == 4
    assert not (tmp_path / "m" / "model.safetensors").exists()


def _drop(saved: dict[str, torch.Tensor]) -> None:
    saved.pop(next(iter(saved)))


def _narrow(saved: dict[str, torch.Tensor]) -> None:
    name = next(n for n in saved if n.endswith("down.weight"))
    saved[name] = saved[name][:2].clone()


@pytest.mark.parametrize("damage", [_drop, _narrow, None], ids=["drop", "narrow", "no file"])
def test_a_changed_file_is_refused(
    tiny: Callable[[Kind], Base],
    tmp_path: Path,
    damage: Callable[[dict[str, torch.Tensor]], None] | None,
) -> None:
    base = tiny("llama")
    model = load(base, Generate(), Adapter(size=4))
    save_model(model, tmp_path, {n: p.detach() for n, p in model.trained().items()}, {})
    path = tmp_path / "bottleneck.safetensors"
    saved = load_file(path)
    path.unlink()
    if damage:
        damage(saved)
        save_file(saved, path)
    with pytest.raises(ModelError) as caught:
        open_model(tmp_path, base=base)
    assert caught.value.do
