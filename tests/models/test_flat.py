"""Rows laid end to end give the losses and gradients of rows one by one."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.methods import Full, Lora, Partial
from afina.models import flat
from afina.models.layout import LEAST_SHARED, lay_out
from afina.models.load import Model, load
from afina.models.sources import Base
from afina.objectives import Supervised
from afina.tasks import Generate
from afina.train.batches import collate
from afina.types import IGNORED, Encoded, Method
from tests.tiny import Kind

METHODS: dict[str, Method] = {
    "full": Full(),
    "lora": Lora(rank=4),
    "partial": Partial(train_layers=1),
}


def rows(shared: int, lengths: list[int], pairs: bool = False) -> list[Encoded]:
    """Rows of random tokens behind one beginning; with ``pairs`` each is two that go on alike."""
    draw = random.Random(7)
    head = [draw.randrange(5, 300) for _ in range(shared)]
    made = []
    for number, length in enumerate(lengths):
        middle = [draw.randrange(5, 300) for _ in range(6)] if pairs else []
        tails = [[draw.randrange(5, 300) for _ in range(length)] for _ in range(1 + pairs)]
        parts = [(*head, *middle, *tail) for tail in tails]
        skip = shared // 2  # the loss reaches into the shared beginning
        first, *others = (Encoded(str(number), p, (*[IGNORED] * skip, *p[skip:])) for p in parts)
        made.append(Encoded(first.row, first.ids, first.targets, tuple(others)))
    return made


def gradients(
    model: Model, given_rows: list[Encoded], on: bool
) -> tuple[float, dict[str, torch.Tensor]]:
    model.network.flat = on
    model.network.zero_grad()
    batch = collate(given_rows, kind="tokens", device=model.device)
    loss = Supervised().loss(model.network.train(), batch)
    (loss.total / loss.weight).backward()
    return float(loss.total.detach()), {
        n: p.grad.clone() for n, p in model.trained().items() if p.grad is not None
    }


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["llama", "gemma"])
@pytest.mark.parametrize(
    ("shared", "lengths", "pairs"),
    [(20, [3, 9, 30, 1], False), (0, [5, 40, 2], False), (12, [4, 9], True), (0, [7, 3, 8], True)],
    ids=["prefix", "padding", "prefix and pairs", "pairs"],
)
def test_equal_to_padded_rows(
    tiny: Callable[[Kind], Base],
    kind: Kind,
    method: str,
    shared: int,
    lengths: list[int],
    pairs: bool,
) -> None:
    model = load(tiny(kind), Generate(answer="text"), METHODS[method], seed=3)
    for name, parameter in model.trained().items():
        if "lora_B" in name:
            parameter.data.normal_(std=0.1)
    assert flat.allows(model.network.core)
    given_rows = rows(shared, lengths, pairs)
    padded, wanted = gradients(model, given_rows, on=False)
    loss, found = gradients(model, given_rows, on=True)
    assert loss == pytest.approx(padded, rel=1e-5)
    assert found.keys() == wanted.keys()
    for name, gradient in wanted.items():
        scale = max(float(gradient.abs().max()), 1e-8)
        assert float((found[name] - gradient).abs().max()) < 2e-5 * scale + 1e-8, name


def test_long_rows_go_through_pytorchs_attention(tiny: Callable[[Kind], Base], monkeypatch) -> None:
    model = load(tiny("llama"), Generate(answer="text"), Lora(rank=2), seed=3)
    given_rows = rows(20, [3, 9, 30])
    _, wanted = gradients(model, given_rows, on=True)
    monkeypatch.setattr(flat, "MAX_KEYS", 10)
    _, found = gradients(model, given_rows, on=True)
    for name, gradient in wanted.items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-6), name


def test_a_network_that_drops_or_mixes_tokens_stays_padded(tiny: Callable[[Kind], Base]) -> None:
    assert not flat.allows(load(tiny("gpt2"), Generate(answer="text"), Full()).network.core)
    exact = load(tiny("llama"), Generate(answer="text"), Full(), exact=True)
    assert not flat.allows(exact.network.core)
    model = load(tiny("llama"), Generate(answer="text"), Full())
    layer = model.network.core.base_model.layers[0].mlp
    whole = layer.forward
    layer.forward = lambda x: whole(x + x.roll(1, dims=1))  # a network that looks one token back
    assert not flat.allows(model.network.core)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(1, 3), min_size=1, max_size=14), min_size=1, max_size=7))
def test_every_row_is_a_path_of_the_tree(given_rows: list[list[int]]) -> None:
    layout = lay_out(given_rows)
    for number, row in enumerate(given_rows):
        places = layout.places[number, : len(row)]
        assert layout.ids[places].tolist() == row
        assert layout.positions[places].tolist() == list(range(len(row)))
    assert layout.tokens <= sum(len(r) for r in given_rows)
    assert lay_out(given_rows, share=False).tokens == sum(len(r) for r in given_rows)


def test_what_is_shared_stands_once() -> None:
    head, own = [1, 2, 3, 4, 5], [[6, 7], [8], [9, 9, 9]]
    layout = lay_out([head + tail for tail in own])
    assert layout.tokens == 5 + 2 + 1 + 3
    assert [len(b.ids) for b in layout.blocks] == [5, 2, 1, 3]
    short = [[1] * (LEAST_SHARED - 1) + [n] for n in (5, 6)]
    assert lay_out(short).tokens == 2 * LEAST_SHARED
