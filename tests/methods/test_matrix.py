"""Every method with every task and every objective that fit together, on tiny bases of each shape.

A new method is one row of ``ROWS``; a new task or objective one row of ``JOBS``. Each cell trains
three steps through the gate and shows: finite losses, every weight that should move has moved and no
other one, a resumed run ends in the same bits, the model on disk answers as the one in memory, and so
does the merged one where there is one. What does not fit together is refused with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import AfinaError, ModelError, RecipeError
from afina.methods import METHODS
from afina.models.load import check_kind
from afina.models.masked import MaskedNetwork
from afina.models.predictor import TunedModel
from afina.models.save import merge, open_model
from afina.models.sources import Base
from afina.objectives import OBJECTIVES
from afina.recipe import parse_recipe
from afina.tasks import TASKS
from afina.train import gate, state
from afina.train.batches import collate
from afina.train.loop import Training
from afina.train.weights import sha256_of
from afina.types import Example, Input, Message, TextExample
from tests.objectives.pairs import Tried, pairs
from tests.objectives.test_policy import asked as prompts
from tests.tiny import Kind
from tests.train import small


@dataclass(frozen=True)
class Row:
    """A method with its knobs. ``moves``: pattern of the weights that should move, besides a new head.
    ``merges``: whether it can be merged into the base. ``whole``: one that stands in all jobs, not only
    in one of each shape."""

    method: dict[str, Any]
    moves: str
    merges: bool = False
    whole: bool = True

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
BLOCK_NORM = r"\.(layer|layers|h)\.\d+\..*(norm|LayerNorm|ln_\d)"
BEHIND = r"|\.pooler\.|\.cls\.|module\.((transformer|model)\.)?(norm|ln_f)\."
ROWS = [
    Row({"name": "full"}, "."),
    Row(
        {"name": "partial", "train_layers": 1},
        r"^(?!.*relative_attention_bias|.*\.encoder\.(block|layers)|.*block\.0)"
        rf".*\.(layer|layers|h|block)\.1\.{BEHIND}|decoder\.final_layer_norm",
    ),
    Row(
        {"name": "partial", "train_layers": 2, "gradual": True, "layer_factor": 2.6},
        r"\.decoder\.(block|final_layer_norm)(?!.*relative_attention_bias)"
        rf"|^(?!.*block).*\.(layer|layers|h)\.\d+\.{BEHIND}",
        whole=False,
    ),
    Row({"name": "lora", "rank": 4}, "lora_", merges=True),
    Row({"name": "lora", "rank": 4, "dora": True}, "lora_", merges=True, whole=False),
    Row({"name": "lora", "rank": 4, "start": "pissa"}, "lora_", merges=True, whole=False),
    Row(
        {"name": "lora", "rank": 4, "rslora": True, "plus_ratio": 16},
        "lora_",
        merges=True,
        whole=False,
    ),
    Row({"name": "qlora", "rank": 4}, "lora_"),
    Row({"name": "hybrid", "rank": 4, "size": 8}, rf"lora_|\.bottleneck\.|{BLOCK_NORM}"),
    Row({"name": "ia3"}, "ia3_", merges=True),
    Row({"name": "prefix", "length": 5, "hidden": 16}, VIRTUAL),
    Row({"name": "prefix", "length": 5, "reparametrise": False}, VIRTUAL, whole=False),
    Row({"name": "prompt", "length": 8, "text": "the answer is"}, VIRTUAL),
    Row({"name": "adapter", "size": 8}, rf"\.bottleneck\.|{BLOCK_NORM}"),
    Row({"name": "adapter", "size": 8, "layer_norms": False}, r"\.bottleneck\.", whole=False),
    Row(
        {"name": "adapter", "size": 8, "variant": "pfeiffer"},
        rf"\.bottleneck\.|{BLOCK_NORM}",
        whole=False,
    ),
    Row({"name": "features"}, NOTHING, merges=True),
]


def lines(count: int) -> list[Example]:
    line = "The lights of the kitchen are on and the door of the garage is closed."
    return [TextExample(id=f"t-{i}", where=f"row {i}", text=f"{i} {line}") for i in range(count)]


@dataclass(frozen=True)
class Job:
    """A task with an objective on a base of some shape. ``shape``: the one that stands for its shape,
    and is asked of every variant of a method."""

    kind: Kind
    task: str
    objective: dict[str, Any]
    rows: Callable[[int], list[Example]]
    knobs: dict[str, Any] = field(default_factory=dict)
    shape: bool = False
    still: str = "(?!)"
    """Pattern of weights that no step can move."""

    @property
    def id(self) -> str:
        return f"{self.kind}-{self.task}-{self.objective['name']}"


REWARD = {"name": "reward"}
BIAS = r"^head\.bias"  # it stands in both scores whose difference is learned
SUPERVISED = {"name": "supervised"}
CONTRAST = {"name": "contrast"}
CONTINUE = {"name": "continue"}
DISTILL = {"name": "distill", "teacher": "x"}  # without notes of a teacher, of its own beginning
POLICY = {"name": "policy", "reward": "contains", "group": 4}
NEW_HEAD = {"head_start": "random"}
SHORT = {"max_new_tokens": 4}
JOBS = [
    Job("bert", "classify", SUPERVISED, small.texts, NEW_HEAD, shape=True),
    Job("bert", "classify", DISTILL, small.texts, NEW_HEAD),
    Job("bert", "regress", SUPERVISED, small.numbers, NEW_HEAD),
    Job("bert", "tag", SUPERVISED, small.tagged),
    Job("bert", "answer", SUPERVISED, small.questions, {"window": 32, "overlap": 8}),
    Job("bert", "score", REWARD, pairs, NEW_HEAD, still=BIAS),
    Job("minilm", "classify", SUPERVISED, small.texts, NEW_HEAD),
    Job("minilm", "embed", CONTRAST, small.pairs),
    Job("minilm", "rank", CONTRAST, small.pairs),
    Job("masked", "text", CONTINUE, lines, {"window": 32}),
    Job("gpt2", "generate", SUPERVISED, small.chats, SHORT, shape=True),
    Job("llama", "generate", SUPERVISED, small.chats, SHORT, shape=True),
    Job("llama", "generate", SUPERVISED | {"keep": 0.5}, small.chats, SHORT),
    Job("llama", "generate", {"name": "prefer"}, pairs, SHORT),
    Job("llama", "generate", DISTILL, small.chats, SHORT),
    Job("llama", "generate", POLICY, prompts, SHORT),
    Job("llama", "text", CONTINUE, lines, {"window": 32}),
    Job("llama", "classify", SUPERVISED, small.texts, NEW_HEAD),
    Job("llama", "tag", SUPERVISED, small.tagged),
    Job("llama", "embed", CONTRAST, small.pairs),
    Job("llama", "score", REWARD, pairs, NEW_HEAD, still=BIAS),
    Job("t5", "transform", SUPERVISED, small.chats, SHORT, shape=True),
    Job("bart", "transform", SUPERVISED, small.chats, SHORT),
]
HEAD_OF = {task.model_fields["name"].default: task.head for task in TASKS}
METHOD_OF = {method.model_fields["name"].default: method for method in METHODS}


def refused(row: Row, job: Job) -> str:
    """Why a method makes no sense with a job; empty if it does."""
    method = METHOD_OF[row.method["name"]].model_validate(row.method)
    if method.virtual_tokens and job.kind in ("t5", "bart"):
        return "reads one text and writes another"
    if method.name == "prefix" and job.kind == "masked":
        return "takes no keys and values from outside"
    if method.four_bit and job.kind == "gpt2":
        return "none of the layers of this base"
    return method.refuses(HEAD_OF[job.task])


PAIRED = [(row, job) for row in ROWS for job in JOBS if row.whole or job.shape]
CELLS = [pytest.param(r, j, id=f"{r.id}-{j.id}") for r, j in PAIRED if not refused(r, j)]
NO_CELLS = [pytest.param(r, j, id=f"{r.id}-{j.id}") for r, j in PAIRED if refused(r, j)]


def tried(base: Base, row: Row, job: Job) -> Tried:
    return Tried(
        base,
        job.objective,
        job.rows(11),
        task={"name": job.task, **job.knobs},
        method=row.method,
        held=3,
        epochs=2,
        max_steps=3,
        learning_rate=5e-3,
    )


def test_every_method_has_a_row() -> None:
    assert {row.method["name"] for row in ROWS} == set(METHOD_OF)


def test_every_task_with_every_objective_is_a_job_or_is_refused() -> None:
    done = {(job.task, job.objective["name"]) for job in JOBS}
    needed = {"policy": POLICY, "distill": DISTILL}
    for task in HEAD_OF:
        for kind in OBJECTIVES:
            name = str(kind.model_fields["name"].default)
            tree = {"task": task, "objective": needed.get(name, {"name": name}), "base": "x",
                    "data": {"train": "x.csv"}}  # fmt: skip
            if (task, name) in done:
                parse_recipe(tree)
                continue
            with pytest.raises(RecipeError, match=f"{name}|{task}") as caught:
                parse_recipe(tree)
            assert len(caught.value.what) > 30, "no reason is given"


@pytest.mark.parametrize(("row", "job"), NO_CELLS)
def test_what_does_not_fit_is_refused_with_the_reason(
    tiny: Callable[[Kind], Base], row: Row, job: Job
) -> None:
    with pytest.raises(AfinaError, match=refused(row, job)[:30]):
        planned(tiny(job.kind), row, job)


def planned(base: Base, row: Row, job: Job) -> None:
    """As far as a plan, in the order of a run."""
    method = METHOD_OF[row.method["name"]].model_validate(row.method)
    if not method.refuses(HEAD_OF[job.task]):
        check_kind(base, tried(base, ROWS[0], job).recipe.task, method)
    tried(base, row, job)


@pytest.mark.parametrize(("row", "job"), CELLS)
def test_a_cell(tiny: Callable[[Kind], Base], tmp_path: Path, row: Row, job: Job) -> None:
    cell = tried(tiny(job.kind), row, job)
    run = cell.new_run(tmp_path)
    training = Training(*cell.arguments(run), cell.renderer, lambda _: None)
    before = named(training.model.network)
    for step in range(3):
        figures = training.step(step)
        training.progress.step += 1
        assert all(torch.isfinite(torch.tensor(v)) for v in figures.values())
        if step == 1:
            state.commit(run, training.weights, training.progress)
    after = named(training.model.network)
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        should = name.startswith("head.") or bool(re.search(row.moves, name))
        moved = should and not re.search(job.still, name)
        assert torch.equal(tensor, after[name]) != moved, name
    resumed = Training(*cell.arguments(run), cell.renderer, lambda _: None)
    assert resumed.progress.step == 2
    resumed.step(2)
    assert sha256_of(resumed.weights.tensors()) == sha256_of(training.weights.tensors())
    assert 0 < training.model.count()[0] <= training.model.count()[1]
    assert training.model.count()[0] == cell.plan.parts.trained, "the plan counts otherwise"

    training.model.network.eval()
    said = answers(TunedModel(training.model))
    batch = collate(
        training.rows[""][:4], kind=training.model.task.targets, device=training.model.device
    )
    outputs = gate.outputs(training.model, batch)
    assert training.finish()["reload_difference"] == 0.0  # saved, reopened, compared bit for bit
    opened = open_model(run.model_folder, base=cell.base)
    assert answers(TunedModel(opened)) == said
    if row.merges:
        assert torch.allclose(gate.outputs(merge(opened), batch), outputs, atol=1e-4)
    elif opened.method is not None and opened.method.adapter:
        with pytest.raises(ModelError):
            merge(opened)


def answers(model: TunedModel) -> Any:
    """What it says to two questions of the form of its task; its vectors where it says nothing."""
    texts = ("the door is red", "the door is green")
    if isinstance(model.model.network, MaskedNetwork):
        return model.embed(texts)
    pairs = {"second": texts[1]} if model.pairs else {}
    more = {"context": "the door is red, the lights are green", "candidates": texts, **pairs}
    behind = (Message("assistant", "red"),) if model.task.judges_answer else ()
    asked = [Input((Message("user", t), *behind), **more) for t in ("red green", texts[0])]
    return model.predict(asked)


def named(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {n: p.detach().clone() for n, p in network.named_parameters()}
