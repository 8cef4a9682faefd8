"""The plan: every value that the recipe left open, derived from recipe, data and machine, with why.

Printed and saved before training; a run trains by its plan and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from afina.errors import MachineError, RecipeError
from afina.methods import Full, Lora
from afina.models.load import pooling_of
from afina.models.sources import Base
from afina.recipe import Goal, Recipe
from afina.recipe.load import parse_recipe
from afina.tasks import Classify, Generate
from afina.train.estimate import Estimate, Parts, count_parts, estimate
from afina.train.machine import Machine
from afina.train.rows import Rows
from afina.types import Derived, Knobs, Method, Task

CPU_PASS_TOKENS = 4096
"""Tokens of one forward pass on a CPU, from which larger passes are no faster."""
GPU_PASS_TOKENS = 16384


@dataclass(frozen=True)
class Plan:
    """A resolved recipe and how it came about. ``rows``: counts by split; ``base``: facts of it."""

    recipe: Recipe
    derived: tuple[Derived, ...]
    steps: int
    steps_per_epoch: int
    machine: Machine
    estimate: Estimate
    rows: Mapping[str, Any]
    base: Mapping[str, Any]
    parts: Parts
    notes: tuple[str, ...] = field(default_factory=tuple)

    def as_dict(self) -> dict[str, Any]:
        return {
            "recipe": self.recipe.model_dump(mode="json"),
            "derived": [asdict(d) for d in self.derived],
            "steps": self.steps,
            "steps_per_epoch": self.steps_per_epoch,
            "machine": self.machine.as_dict(),
            "estimate": self.estimate.as_dict(),
            "rows": dict(self.rows),
            "base": dict(self.base),
            "parts": asdict(self.parts),
            "notes": list(self.notes),
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Plan:
        """Read back what ``as_dict`` wrote."""
        return cls(
            recipe=parse_recipe(dict(value["recipe"]), where="plan.json"),
            derived=tuple(Derived(**d) for d in value["derived"]),
            steps=int(value["steps"]),
            steps_per_epoch=int(value["steps_per_epoch"]),
            machine=Machine(**value["machine"]),
            estimate=Estimate(**value["estimate"]),
            rows=value["rows"],
            base=value["base"],
            parts=Parts(**value["parts"]),
            notes=tuple(value["notes"]),
        )


class _Book:
    """Collects the derived values with their reasons."""

    def __init__(self) -> None:
        self.lines: list[Derived] = []

    def take(self, key: str, chosen: Any, derived: Any, reason: str, unit: str = "") -> Any:
        """The user's value if there is one, else the derived one; noted either way."""
        if chosen is not None:
            self.lines.append(Derived(key, _plain(chosen), "as the recipe says", True, unit))
            return chosen
        self.lines.append(Derived(key, _plain(derived), reason, False, unit))
        return derived


def _plain(value: Any) -> Any:
    """As JSON has it: the plan is written down and read back equal."""
    if isinstance(value, Method | Task):
        return getattr(value, "name", str(value))
    if isinstance(value, Knobs):
        return value.model_dump(mode="json", exclude_none=True)
    return list(value) if isinstance(value, tuple) else value


def choose_method(recipe: Recipe, base: Base) -> tuple[Method, str]:
    """The method when the recipe names none, and why."""
    if recipe.method is not None:
        return recipe.method, "as the recipe says"
    if base.kind == "encoder" and base.parameters <= 400e6:
        return Full(), f"an encoder of {base.parameters / 1e6:,.0f} M parameters trains whole"
    return Lora(), f"a base of {base.parameters / 1e6:,.0f} M parameters: small updates are enough"


def make_plan(
    recipe: Recipe,
    task: Task,
    base: Base,
    rows: Rows,
    validation: Rows,
    test_rows: int,
    machine: Machine,
) -> Plan:
    """Derive everything that is open. ``task`` is the resolved one of the data set.

    Raises RecipeError if knobs contradict each other or the data, MachineError if the run cannot
    fit into memory or on the disk.
    """
    book = _Book()
    method, why = choose_method(recipe, base)
    book.take("method", recipe.method, method, why)
    task = _derive_task(book, task, rows, base)
    train, steps, steps_per_epoch = _derive_train(book, recipe, task, method, base, rows, machine)
    evaluation = recipe.evaluate.model_copy(
        update={
            "baselines": book.take(
                "evaluate.baselines",
                recipe.evaluate.baselines,
                task.baselines(),
                f"what a {task.name} task is measured against",
            ),
            "scorers": book.take(
                "evaluate.scorers",
                recipe.evaluate.scorers,
                task.scorers(),
                f"the scores of a {task.name} task",
            ),
        }
    )
    goal = book.take(
        "goal",
        recipe.goal,
        Goal(metric=task.scorers()[0]),
        "the first score of the task, to be better than every baseline",
    )
    resolved = recipe.model_copy(
        update={
            "task": task,
            "method": method,
            "train": train,
            "evaluate": evaluation,
            "goal": goal,
        }
    )
    parts = measure_parts(base, task, method)
    resolved = _fit_memory(book, resolved, base, rows, parts, machine, steps)
    cost = estimate(resolved, base, rows, parts, machine, steps)
    _check_room(cost, machine)
    notes = (
        ()
        if validation.kept
        else ("there are no validation rows: no early stopping, and the last weights are kept",)
    )
    return Plan(
        recipe=resolved,
        derived=tuple(book.lines),
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        machine=machine,
        estimate=cost,
        rows={
            "train": len(rows.kept),
            "validation": len(validation.kept),
            "test": test_rows,
            "tokens": rows.tokens,
            "loss_tokens": rows.loss_tokens,
            "longest": rows.longest,
            "truncated": rows.truncated,
            "dropped_too_long": len(rows.dropped),
        },
        base={
            "name": base.name,
            "sha256": base.sha256,
            "parameters": base.parameters,
            "licence": base.licence,
            "architecture": base.architecture,
            "context_length": base.context_length,
        },
        parts=parts,
        notes=notes,
    )


def _derive_task(book: _Book, task: Task, rows: Rows, base: Base) -> Task:
    if isinstance(task, Classify):
        book.lines.append(
            Derived("task.labels", len(task.known_labels), "found in the data", unit="labels")
        )
        pooling = pooling_of(base, task)
        reason = "what the base was made with" if base.pooling else f"usual for a {base.kind}"
        chosen = None if task.pooling == "auto" else task.pooling
        book.take("task.pooling", chosen, pooling, reason)
        return task.model_copy(update={"pooling": pooling})
    if isinstance(task, Generate):
        longest = max((sum(t >= 0 for t in r.targets) for r in rows.kept), default=1)
        limit = book.take(
            "task.max_new_tokens",
            task.max_new_tokens,
            min(max(16, 2 * longest), base.context_length),
            f"twice the longest answer of the training rows ({longest} tokens)",
            "tokens",
        )
        return task.model_copy(update={"max_new_tokens": limit})
    return task


def _derive_train(
    book: _Book,
    recipe: Recipe,
    task: Task,
    method: Method,
    base: Base,
    rows: Rows,
    machine: Machine,
) -> tuple[Any, int, int]:
    train = recipe.train
    count = len(rows.kept)
    if not count:
        raise RecipeError("no row is left to learn from", where="data.train", do="add examples")
    _check_length(recipe, base)
    length = book.take(
        "train.max_length", train.max_length, rows.longest, "the longest training row", "tokens"
    )
    size = 8 if count < 400 else 16 if count < 4000 else 32
    batch = book.take(
        "train.batch_size",
        train.batch_size,
        min(size, count),
        f"{count:,} training rows",
        "rows",
    )
    batch = min(batch, count)
    per_epoch = -(-count // batch)
    usual = 3 if task.head == "tokens" else 5
    epochs = book.take("train.epochs", train.epochs, usual, f"usual for a {task.name} task")
    steps = epochs * per_epoch
    if train.max_steps is not None:
        steps = train.max_steps if train.epochs is None else min(steps, train.max_steps)
    rate, why = method.learning_rate(base.parameters, task.head)
    rate = book.take("train.learning_rate", train.learning_rate, rate, why)
    update: dict[str, Any] = {
        "max_length": length,
        "batch_size": batch,
        "epochs": max(epochs, -(-steps // per_epoch)),
        "max_steps": steps,
        "learning_rate": rate,
    }
    if task.head == "labels":
        update["head_learning_rate"] = book.take(
            "train.head_learning_rate",
            train.head_learning_rate,
            max(1e-3, rate),
            "a new head learns faster than the body",
        )
    else:
        update["head_learning_rate"] = rate
    update |= _derive_arithmetic(book, recipe, machine)
    passes = GPU_PASS_TOKENS if machine.device == "cuda" else CPU_PASS_TOKENS
    update["micro_batch_size"] = min(
        batch,
        book.take(
            "train.micro_batch_size",
            train.micro_batch_size,
            max(1, min(batch, passes // max(1, rows.longest))),
            f"up to {passes:,} tokens in one pass",
            "rows",
        ),
    )
    each = max(1, per_epoch // train.evaluations_per_epoch)
    update["save_every_steps"] = book.take(
        "train.save_every_steps", train.save_every_steps, each, "at each evaluation", "steps"
    )
    return train.model_copy(update=update), steps, per_epoch


def _derive_arithmetic(book: _Book, recipe: Recipe, machine: Machine) -> dict[str, Any]:
    train = recipe.train
    gain = machine.bfloat16_gflops / machine.float32_gflops
    faster = gain >= 1.2
    precision = book.take(
        "train.precision",
        None if train.precision == "auto" else train.precision,
        "bfloat16" if faster else "float32",
        f"bfloat16 multiplies {gain:.1f} times as fast as float32 here",
    )
    device = book.take(
        "train.device",
        None if train.device == "auto" else train.device,
        machine.device,
        machine.device_name,
    )
    threads = book.take(
        "train.threads", train.threads, machine.cores, "the cores of this machine", "threads"
    )
    return {"precision": precision, "device": device, "threads": threads}


def _check_length(recipe: Recipe, base: Base) -> None:
    wished = recipe.train.max_length
    if wished is not None and wished > base.context_length:
        raise RecipeError(
            f"{wished} tokens are more than {base.name} can take",
            where="train.max_length",
            do=f"at most {base.context_length}",
        )


def _fit_memory(
    book: _Book,
    recipe: Recipe,
    base: Base,
    rows: Rows,
    parts: Parts,
    machine: Machine,
    steps: int,
) -> Recipe:
    """Halve the rows of a pass until the estimate fits into 80 % of the free memory."""
    room = machine.free_memory_bytes * 0.8
    size = recipe.train.micro_batch_size or 1
    while size > 1 and estimate(recipe, base, rows, parts, machine, steps).memory_bytes > room:
        size = size // 2
        train = recipe.train.model_copy(update={"micro_batch_size": size})
        recipe = recipe.model_copy(update={"train": train})
        book.lines = [d for d in book.lines if d.key != "train.micro_batch_size"]
        book.lines.append(
            Derived(
                "train.micro_batch_size",
                size,
                f"what fits into {room / 1e9:.1f} GB of free memory; the batch is accumulated",
                unit="rows",
            )
        )
    return recipe


def _check_room(cost: Estimate, machine: Machine) -> None:
    if cost.memory_bytes > machine.free_memory_bytes:
        raise MachineError(
            f"about {cost.memory_bytes / 1e9:.1f} GB of memory are needed, "
            f"{machine.free_memory_bytes / 1e9:.1f} GB are free",
            where="memory",
            do="take method: lora or qlora, a smaller base, or a smaller train.max_length",
        )
    if cost.disk_bytes > machine.free_disk_bytes:
        raise MachineError(
            f"about {cost.disk_bytes / 1e9:.1f} GB of disk are needed, "
            f"{machine.free_disk_bytes / 1e9:.1f} GB are free",
            where="disk",
            do="free some space, or set --home to a larger disk",
        )


def measure_parts(base: Base, task: Task, method: Method) -> Parts:
    """What would train and how large it is, from the shapes alone (no weights are read)."""
    import torch
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    from afina.methods.partial import block_list

    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    kind: Any = AutoModelForCausalLM if task.head == "tokens" else AutoModel
    with torch.device("meta"):
        module = kind.from_config(config)
        prefix, layers = block_list(module)
        embedding = module.get_input_embeddings().weight.numel()
        head = module.get_output_embeddings().weight.numel() if task.head == "tokens" else 0
        tied = (
            head and module.get_output_embeddings().weight is module.get_input_embeddings().weight
        )
        module = method.apply(module, task.head)
    found: list[tuple[str, int, bool]] = [
        (n, p.numel(), p.requires_grad) for n, p in module.named_parameters()
    ]
    if isinstance(task, Classify):
        found.append(("head.weight", len(task.known_labels) * (config.hidden_size + 1), True))
    outside = embedding + (0 if tied else head)
    return count_parts(
        found,
        {"layers": layers, "block_prefix": prefix, "embedding": outside, "head": head},
    )
