"""Masters, AdamW and the schedule against PyTorch's and Transformers' own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from transformers import get_scheduler

from afina.methods import Lora, Partial
from afina.models.load import Model, load
from afina.models.sources import Base
from afina.recipe import Train
from afina.tasks import Classify
from afina.train.weights import Weights, rate_share, sha256_of
from tests.tiny import Kind


def make(dtype: torch.dtype, **knobs: object) -> tuple[nn.Linear, Weights]:
    torch.manual_seed(0)
    layer = nn.Linear(6, 5)
    train = Train(learning_rate=0.05, head_learning_rate=0.05, **knobs)
    return layer, Weights(dict(layer.named_parameters()), train, dtype)


def step(layer: nn.Linear, weights: Weights, seed: int) -> None:
    torch.manual_seed(seed)
    x = torch.randn(4, 6).to(layer.weight.dtype)
    layer(x).float().square().sum().backward()
    weights.collect_gradients()
    weights.step(1.0, weights.gradient_norm())


def test_equals_adamw_with_clipping() -> None:
    layer, weights = make(torch.float32, gradient_clip=0.5, weight_decay=0.1)
    torch.manual_seed(0)
    other = nn.Linear(6, 5)
    reference = torch.optim.AdamW(
        [
            {"params": [other.weight], "weight_decay": 0.1},
            {"params": [other.bias], "weight_decay": 0.0},
        ],
        lr=0.05,
    )
    for seed in range(5):
        step(layer, weights, seed)
        torch.manual_seed(seed)
        other(torch.randn(4, 6)).square().sum().backward()
        nn.utils.clip_grad_norm_(other.parameters(), 0.5)
        reference.step()
        reference.zero_grad()
    assert torch.allclose(layer.weight, other.weight, rtol=1e-5, atol=1e-6)
    assert torch.allclose(layer.bias, other.bias, rtol=1e-5, atol=1e-6)


def test_small_steps_are_not_lost_in_bfloat16() -> None:
    layer, weights = make(torch.bfloat16)
    weights.train = weights.train.model_copy(update={"gradient_clip": None})
    for group in weights.optimizer.param_groups:
        group["peak"], group["weight_decay"] = 1e-5, 0.0
    before = weights.tensors()["weight"].clone()
    for seed in range(20):
        step(layer, weights, seed)
    assert layer.weight.dtype == torch.bfloat16
    moved = (weights.tensors()["weight"] - before).abs().max()
    assert 1e-5 < float(moved) < 1e-3
    assert torch.equal(layer.weight, weights.tensors()["weight"].bfloat16())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_restored_state_goes_on_bit_for_bit(dtype: torch.dtype) -> None:
    layer, weights = make(dtype)
    for seed in range(6):
        step(layer, weights, seed)
    expected = sha256_of(weights.tensors())
    layer, weights = make(dtype)
    for seed in range(3):
        step(layer, weights, seed)
    tensors = {n: t.clone() for n, t in weights.tensors().items()}
    optimizer = {n: t.clone() for n, t in weights.optimizer_tensors().items()}
    other, fresh = make(dtype)
    fresh.restore(tensors, optimizer)
    for seed in range(3, 6):
        step(other, fresh, seed)
    assert sha256_of(fresh.tensors()) == expected


@pytest.mark.parametrize("name", ["linear", "cosine", "constant_with_warmup"])
def test_schedule_equals_transformers(name: str) -> None:
    steps, warmup = 40, 5
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    reference = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=steps)
    own = name.removesuffix("_with_warmup")
    for number in range(steps):
        if number >= warmup:  # ours begins the warm-up above zero, so that no step is wasted
            assert rate_share(own, number, steps, warmup) == pytest.approx(
                reference.get_last_lr()[0], abs=1e-9
            )
        optimizer.step()
        reference.step()
    assert rate_share(own, 0, steps, warmup) == pytest.approx(1 / warmup)


def test_the_slanted_triangle_is_that_of_its_paper() -> None:
    """Howard & Ruder 2018, equation 3: cut = T·cut_frac, p up to it and down behind, ratio 32."""
    steps, share = 40, 0.1
    cut = int(steps * share)
    for t in range(steps):
        p = t / cut if t < cut else 1 - (t - cut) / (cut * (1 / share - 1))
        assert rate_share("slanted", t, steps, cut) == pytest.approx((1 + p * 31) / 32)
    assert rate_share("slanted", 0, steps, cut) == pytest.approx(1 / 32)
    assert rate_share("slanted", cut, steps, cut) == 1.0


def rates(model: Model, **train: float) -> dict[str, float]:
    """The peak rate of each trained weight of a model as the optimiser has it."""
    moves = {f"module.{n}": m for n, m in model.method.moves(model.network.module).items()}  # type: ignore[union-attr]
    knobs = {"learning_rate": 0.01, "head_learning_rate": 0.03} | train
    weights = Weights(model.trained(), Train(**knobs), torch.float32, moves)  # type: ignore[arg-type]
    by_id = {id(p): g["peak"] for g in weights.optimizer.param_groups for p in g["params"]}
    return {name: by_id[id(master)] for name, master in weights.masters.items()}


def test_lora_plus_moves_b_faster_by_its_ratio(tiny: Callable[[Kind], Base]) -> None:
    """Hayou et al. 2024: the rate of B is the ratio times that of A; a new head has its own."""
    task = Classify(labels=("a", "b"), several=False)
    found = rates(load(tiny("bert"), task, Lora(rank=4, plus_ratio=16)))
    for side, rate in (("A", 0.01), ("B", 0.16)):
        own = [r for n, r in found.items() if f"lora_{side}" in n]
        assert own == pytest.approx([rate] * len(own)), side
    assert {r for n, r in found.items() if n.startswith("head.")} == {0.03}
    assert len(found) == 2 + sum("lora_" in n for n in found) > 4
    even = rates(load(tiny("bert"), task, Lora(rank=4)))
    assert {r for n, r in even.items() if "lora_" in n} == {0.01}


def test_each_layer_moves_slower_than_the_one_above(tiny: Callable[[Kind], Base]) -> None:
    """Howard & Ruder 2018, section 3.2: the rate of layer l - 1 is that of l divided by 2.6."""
    method = Partial(train_layers=2, layer_factor=2.6, freeze_embeddings=False)
    task = Classify(labels=("a", "b"), several=False)
    found = rates(load(tiny("bert"), task, method))
    for part, rate in (
        (".layer.1.", 0.01),
        (".layer.0.", 0.01 / 2.6),
        (".embeddings.word", 0.01 / 2.6**2),
    ):
        own = [r for n, r in found.items() if part in n]
        assert own and own == pytest.approx([rate] * len(own)), part
    assert {r for n, r in found.items() if n.startswith("head.")} == {0.03}


def test_hash_sees_names_types_shapes_and_bytes() -> None:
    base = {"a": torch.zeros(2, 3)}
    others = [
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(2, 3).bfloat16()},
        {"a": torch.zeros(2, 3).index_fill(0, torch.tensor([1]), 1e-30)},
    ]
    assert len({sha256_of(base), *(sha256_of(o) for o in others)}) == 5
    assert sha256_of({"a": torch.zeros(2, 3)}) == sha256_of(base)
