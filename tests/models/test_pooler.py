"""A pooler that is not stored is never run: its weights would be drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from transformers import AutoModel

from afina.errors import ModelError
from afina.methods import Full
from afina.models.load import load
from afina.models.network import LabelNetwork
from afina.models.pooler import settle_pooler, stores_pooler
from afina.models.save import open_model, save_model
from afina.models.sources import Base
from afina.tasks import Classify
from tests.tiny import LINES, Kind

Tiny = Callable[[Kind], Base]
FIRST = Classify(labels=("a", "b"), several=False, pooling="first")


def vector(network: object, ids: tuple[int, ...]) -> torch.Tensor:
    assert isinstance(network, LabelNetwork)
    with torch.inference_mode():
        return network.pooled(torch.tensor([ids]), torch.tensor([len(ids)]))[0]


def test_without_a_stored_pooler_the_first_state_is_taken(tiny: Tiny, tmp_path: Path) -> None:
    base = tiny("minilm")
    assert not stores_pooler(base.folder)
    torch.manual_seed(1)
    model = load(base, FIRST, Full())
    ids = model.renderer.text(LINES[0])
    bare = AutoModel.from_pretrained(base.folder, add_pooling_layer=False).eval()
    with torch.inference_mode():
        state = bare(input_ids=torch.tensor([ids]))[0][0, 0]
    assert torch.allclose(vector(model.network, ids), state, atol=1e-6)
    assert not any("pooler" in name for name in model.trained())
    torch.manual_seed(2)
    assert torch.equal(vector(load(base, FIRST, None).network, ids), vector(model.network, ids))
    save_model(model, tmp_path, model.trained(), {})
    again = open_model(tmp_path, base=base)
    assert torch.equal(vector(again.network, ids), vector(model.network, ids))


def test_a_stored_pooler_is_used_for_the_first_token_alone(tiny: Tiny) -> None:
    base = tiny("bert")
    assert stores_pooler(base.folder)
    model = load(base, FIRST, Full())
    ids = model.renderer.text(LINES[0])
    whole = AutoModel.from_pretrained(base.folder).eval()
    with torch.inference_mode():
        pooled = whole(input_ids=torch.tensor([ids])).pooler_output[0]
    assert torch.allclose(vector(model.network, ids), pooled, atol=1e-6)
    mean = load(base, FIRST.model_copy(update={"pooling": "mean"}), Full())
    assert not any("pooler" in name for name in mean.trained())


def test_a_pooler_that_cannot_be_left_out_is_refused(tiny: Tiny) -> None:
    class Rigid(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pooler = nn.Linear(2, 2)

    with pytest.raises(ModelError, match="pooler") as caught:
        settle_pooler(Rigid(), tiny("minilm").folder, wanted=True)
    assert caught.value.where == "task.pooling"
    settle_pooler(Rigid(), tiny("minilm").folder, wanted=False)
    settle_pooler(Rigid(), tiny("bert").folder, wanted=True)
