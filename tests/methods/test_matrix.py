"""Every method with every task it serves, on tiny bases of four shapes.

A new method is one row of ``ROWS``. Each cell trains three steps through the gate and shows: finite
losses, every weight that should move has moved and no other one, a resumed run ends in the same bits,
the model on disk answers as the one in memory, and so does the merged one where there is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import ModelError
from afina.methods import METHODS
from afina.models.predictor import TunedModel
from afina.models.save import merge, open_model
from afina.models.sources import Base
from afina.tasks import TASKS as ALL_TASKS
from afina.train import gate, state
from afina.train.batches import collate
from afina.train.loop import Training
from afina.train.weights import sha256_of
from afina.types import Input, Message
from tests.tiny import Kind
from tests.train.small import Small


@dataclass(frozen=True)
class Row:
    """A method with its knobs. ``moves``: pattern of the weights that should move, besides the head
    of a classifier. ``merges``: whether it can be merged into the base."""

    method: dict[str, Any]
    moves: str
    merges: bool = False
    kinds: tuple[Kind, ...] = ("bert", "minilm", "gpt2", "llama", "t5", "bart")

    @property
    def id(self) -> str:
        extra = [
            f"{k}={v}"
            for k, v in self.method.items()
            if k not in ("name", "rank", "size", "length", "hidden")
        ]
        return "-".join([self.method["name"], *extra])


NOTHING = "(?!)"
VIRTUAL = r"\.prompt_encoder\."
ONE_WAY: tuple[Kind, ...] = ("bert", "minilm", "gpt2", "llama")
"""Networks that go on with the text they read."""
BLOCK_NORM = r"\.(layer|layers|h)\.\d+\..*(norm|LayerNorm|ln_\d)"
ROWS = [
    Row({"name": "full"}, "."),
    Row(
        {"name": "partial", "train_layers": 1},
        r"^(?!.*relative_attention_bias|.*\.encoder\.(block|layers)|.*block\.0)"
        r".*\.(layer|layers|h|block)\.1\."
        r"|\.pooler\.|module\.((transformer|model)\.)?(norm|ln_f)\.|decoder\.final_layer_norm",
    ),
    Row(
        {"name": "partial", "train_layers": 2, "gradual": True, "layer_factor": 2.6},
        r"\.(layer|layers|h)\.\d+\.|\.pooler\.|module\.((transformer|model)\.)?(norm|ln_f)\.",
        kinds=ONE_WAY,
    ),
    Row({"name": "lora", "rank": 4}, "lora_", merges=True),
    Row({"name": "lora", "rank": 4, "dora": True}, "lora_", merges=True),
    Row({"name": "qlora", "rank": 4}, "lora_", kinds=("minilm", "llama", "t5", "bart")),
    Row({"name": "lora", "rank": 4, "start": "pissa"}, "lora_", merges=True),
    Row({"name": "lora", "rank": 4, "rslora": True, "plus_ratio": 16}, "lora_", merges=True),
    Row({"name": "hybrid", "rank": 4, "size": 8}, rf"lora_|\.bottleneck\.|{BLOCK_NORM}"),
    Row({"name": "ia3"}, "ia3_", merges=True),
    Row({"name": "prefix", "length": 5, "hidden": 16}, VIRTUAL, kinds=ONE_WAY),
    Row({"name": "prefix", "length": 5, "reparametrise": False}, VIRTUAL, kinds=ONE_WAY),
    Row({"name": "prompt", "length": 8, "text": "the answer is"}, VIRTUAL, kinds=ONE_WAY),
    Row({"name": "adapter", "size": 8}, rf"\.bottleneck\.|{BLOCK_NORM}"),
    Row({"name": "adapter", "size": 8, "layer_norms": False}, r"\.bottleneck\."),
    Row({"name": "adapter", "size": 8, "variant": "pfeiffer"}, rf"\.bottleneck\.|{BLOCK_NORM}"),
    Row({"name": "features"}, NOTHING, merges=True, kinds=("bert", "minilm", "llama")),
]
TASKS: dict[Kind, tuple[str, ...]] = {
    "bert": ("classify", "regress", "tag", "answer"),
    "minilm": ("classify", "embed"),
    "gpt2": ("generate",),
    "llama": ("classify", "embed", "generate"),
    "t5": ("transform",),
    "bart": ("transform",),
}
KNOBS: dict[str, dict[str, Any]] = {
    "classify": {"head_start": "random"},
    "regress": {"head_start": "random"},
    "answer": {"window": 32, "overlap": 8},
}
HEAD_OF = {task.model_fields["name"].default: task.head for task in ALL_TASKS}
METHOD_OF = {method.model_fields["name"].default: method for method in METHODS}
CELLS = [
    pytest.param(row, kind, task, id=f"{row.id}-{kind}-{task}")
    for row in ROWS
    for kind in row.kinds
    for task in TASKS[kind]
    if not METHOD_OF[row.method["name"]].model_construct().refuses(HEAD_OF[task])
]


def test_every_method_has_a_row() -> None:
    assert {row.method["name"] for row in ROWS} == set(METHOD_OF)


@pytest.mark.parametrize(("row", "kind", "task"), CELLS)
def test_a_cell(
    tiny: Callable[[Kind], Base], tmp_path: Path, row: Row, kind: Kind, task: str
) -> None:
    small = Small(
        tiny(kind),
        task,
        row.method,
        knobs_of_task=KNOBS.get(task),
        rows=8,
        held=3,
        batch_size=4,
        epochs=2,
        max_steps=3,
        learning_rate=5e-3,
    )
    run = small.new_run(tmp_path)
    training = Training(*small.arguments(run), small.renderer, lambda _: None)
    before = named(training.model.network)
    for step in range(3):
        figures = training.step(step)
        training.progress.step += 1
        assert all(torch.isfinite(torch.tensor(v)) for v in figures.values())
        if step == 1:
            state.commit(run, training.weights, training.progress)
    _moved_where_it_should(before, named(training.model.network), row.moves)
    resumed = Training(*small.arguments(run), small.renderer, lambda _: None)
    assert resumed.progress.step == 2
    resumed.step(2)
    assert sha256_of(resumed.weights.tensors()) == sha256_of(training.weights.tensors())
    assert 0 < training.model.count()[0] <= training.model.count()[1]
    assert training.model.count()[0] == small.plan.parts.trained, "the plan counts otherwise"

    texts = ("the door is red", "the door is green")
    context = "the door is red, the lights are green"
    asked = [
        Input((Message("user", text),), context=context, candidates=texts)
        for text in ("red green", texts[0])
    ]
    training.model.network.eval()
    answers = TunedModel(training.model).predict(asked)
    batch = collate(
        small.rows.kept[:4], kind=training.model.task.targets, device=training.model.device
    )
    said = gate.outputs(training.model, batch)
    assert training.finish()["reload_difference"] == 0.0  # saved, reopened, compared bit for bit
    opened = open_model(run.model_folder, base=small.base)
    assert TunedModel(opened).predict(asked) == answers
    if row.merges:
        assert torch.allclose(gate.outputs(merge(opened), batch), said, atol=1e-4)
    elif opened.method is not None and opened.method.adapter:
        with pytest.raises(ModelError):
            merge(opened)


def named(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in network.named_parameters()}


def _moved_where_it_should(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], moves: str
) -> None:
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        should = name.startswith("head.") or bool(re.search(moves, name))
        assert torch.equal(tensor, after[name]) != should, name
