"""The loop with several tasks: the same losses as each alone, exact resume, what is saved."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from afina.errors import Interrupted
from afina.models.load import Model, load, load_renderer
from afina.models.network import SharedNetwork
from afina.models.save import merge, open_model
from afina.models.sources import Base
from afina.recipe import dump_recipe, parse_recipe
from afina.store import Run
from afina.train import gate, loop
from afina.train.batches import collate
from afina.train.loop import Step, Training
from afina.train.plan import Plan, make_plan
from afina.train.rows import Rows, encode
from afina.train.turns import turns_of
from tests.tiny import Kind
from tests.train.small import MACHINE, ROWS

TASKS = ("classify", "tag", "regress", "embed")


class Three:
    """What ``loop.run`` needs for tasks over one encoder, ``embed`` with a loss of its own."""

    def __init__(self, base: Base, tasks: tuple[str, ...] = TASKS, **recipe: object) -> None:
        self.base, self.renderer = base, load_renderer(base)
        train = {"threads": 1, "precision": "float32", "epochs": 2, "batch_size": 8}
        asked = parse_recipe(
            {
                "tasks": {n: {"task": n, "data": {"train": "x.csv"}} for n in tasks},
                "base": str(base.folder),
                "train": train | {"save_every_steps": 2},
                **recipe,
            },
            several=True,
        )
        views = asked.parts
        rows, held = {}, {}
        for name, count in zip(tasks, (24, 20, 13, 16), strict=False):
            examples = ROWS[name](count + 6)
            task = views[name].task.resolve(examples).settle(examples[:count])
            views[name] = views[name].model_copy(update={"task": task})
            rows[name] = self._encode(examples[:count], task)
            held[name] = self._encode(examples[count:], task)
        self.rows, self.validation = rows, held
        self.plan: Plan = make_plan(asked.with_parts(views), base, rows, held, 0, MACHINE)

    def _encode(self, examples: list, task: object) -> Rows:  # type: ignore[type-arg]
        return encode(examples, task, self.renderer, max_length=None, on_too_long="error")  # type: ignore[arg-type]

    def arguments(self, home: Path) -> tuple[Plan, Base, dict[str, Rows], dict[str, Rows], Run]:
        run = Run.create(home, "three")
        run.write("recipe.yaml", dump_recipe(self.plan.recipe))
        return self.plan, self.base, self.rows, self.validation, run


def alone(three: Three, shared: Model, task: str) -> Model:
    """The network that a task alone would have, with the weights of the shared one."""
    recipe = three.plan.recipe
    found = load(three.base, recipe.tasks[task].task, recipe.method, seed=99)
    own = dict(found.network.named_parameters())
    with torch.no_grad():
        for name, parameter in shared.network.named_parameters():
            other = name.replace(f"head.task-{task}.", "head.")
            if other in own:
                own[other].copy_(parameter)
    missing = [n for n in own if n.startswith("head.")]
    assert len(missing) == (0 if task == "embed" else 2)
    return found


@pytest.mark.parametrize("kind", ["minilm", "bert"])
@pytest.mark.parametrize("method", ["full", {"name": "lora", "rank": 4}], ids=["full", "lora"])
def test_a_batch_has_the_loss_that_it_has_alone(
    tiny: Callable[[Kind], Base], tmp_path: Path, kind: Kind, method: object
) -> None:
    three = Three(tiny(kind), method=method)
    training = Training(*three.arguments(tmp_path), three.renderer, lambda _: None)
    for step in range(5):
        training.step(step)
    assert isinstance(training.model.network, SharedNetwork)
    for task in TASKS:
        objective = three.plan.recipe.parts[task].objective
        assert objective.name == ("contrast" if task == "embed" else "supervised")
        single = alone(three, training.model, task)
        view = training.model.of(task)
        rows = three.rows[task]
        batch = collate(rows.kept[:6], kind=rows.kind, device=view.device)
        for model in (single, training.model):
            model.network.eval()
            model.network.zero_grad()
        ours, theirs = (objective.loss(m.network, batch).total for m in (view, single))
        assert torch.equal(ours, theirs)
        ours.backward()  # type: ignore[no-untyped-call]
        theirs.backward()  # type: ignore[no-untyped-call]
        own = dict(single.network.named_parameters())
        compared = 0
        for name, parameter in training.model.network.named_parameters():
            other = own.get(name.replace(f"head.task-{task}.", "head."))
            if name.startswith("head.") and f"task-{task}." not in name:
                assert parameter.grad is None or not parameter.grad.any(), name
            elif other is not None and other.grad is not None:
                assert parameter.grad is not None
                assert torch.equal(parameter.grad, other.grad), name
                compared += 1
        assert compared > 4


def test_a_step_moves_only_its_own_head(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    three = Three(tiny("minilm"), method="full")
    training = Training(*three.arguments(tmp_path), None, lambda _: None)
    heads = {n: p for n, p in training.model.network.named_parameters() if n.startswith("head.")}
    assert len(heads) == 6
    before = {n: p.detach().clone() for n, p in heads.items()}
    task = training.step(0)["task"]
    for name, parameter in heads.items():
        assert torch.equal(parameter, before[name]) != (f"task-{task}." in name), name


def test_resumed_is_uninterrupted(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    three = Three(tiny("minilm"), method="full")
    whole = loop.run(*three.arguments(tmp_path / "whole"))
    for stop_at in (1, 4, 9):
        arguments = three.arguments(tmp_path / f"cut{stop_at}")

        def interrupt(step: Step, at: int = stop_at) -> None:
            if step.step == at and step.loss is not None:
                os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(Interrupted, match="saved"):
            loop.run(*arguments, watch=interrupt)
        assert loop.run(*arguments)["weights_sha256"] == whole["weights_sha256"]
        lines = [m for m in arguments[-1].metrics() if "loss" in m]
        assert [m["step"] for m in lines] == list(range(1, whole["steps"] + 1))
        losses = [m["validation_losses"] for m in arguments[-1].metrics() if "validation_loss" in m]
        assert losses and all(set(each) == set(TASKS) for each in losses)


@pytest.mark.parametrize(
    ("method", "mixing"),
    [
        ({"name": "lora", "rank": 4}, "equal"),
        ({"name": "partial", "train_layers": 1}, 3.0),
        ("features", 3.0),
    ],
    ids=["lora", "partial", "features"],
)
def test_what_is_saved_answers_the_same(
    tiny: Callable[[Kind], Base], tmp_path: Path, method: object, mixing: object
) -> None:
    """Frozen layers worked once included; merging an adapter reaches the network of each task."""
    train = {"threads": 1, "precision": "float32", "epochs": 2, "batch_size": 8, "mixing": mixing}
    tasks = TASKS[:3] if method == "features" else TASKS  # there is no head to learn a vector with
    three = Three(tiny("minilm"), tasks, method=method, train=train)
    arguments = three.arguments(tmp_path)
    figures = loop.run(*arguments)
    counts = {n: len(rows.kept) for n, rows in three.rows.items()}
    turns = turns_of(three.plan.recipe, counts, 8)
    assert figures["steps"] == 2 * sum(turns.values())
    assert {d.key for d in three.plan.derived} >= {"train.mixing", "tasks.tag.goal"}
    folder = arguments[-1].model_folder
    opened, again = (open_model(folder, base=three.base) for _ in range(2))
    merge(again)
    for task in tasks:
        rows = three.rows[task]
        batch = collate(rows.kept[:4], kind=rows.kind, device=opened.device)
        one, other = (gate.outputs(m.of(task), batch) for m in (opened, again))
        assert torch.allclose(one, other, atol=1e-4)
