"""The plan: every value that the recipe left open, derived from recipe, data and machine, with why.

Printed and saved before training; a run trains by its plan and by nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from afina.errors import MachineError, RecipeError
from afina.models.load import reads_first
from afina.models.masked import is_masked
from afina.models.pooler import settle_pooler
from afina.models.quiet import quiet
from afina.models.sources import Base
from afina.recipe import Goal, Recipe
from afina.recipe.load import parse_recipe
from afina.train.derive import Book, choose_method, derive_task, derive_train
from afina.train.estimate import Estimate, Parts, count_parts, estimate
from afina.train.machine import Machine
from afina.train.rows import Rows, together
from afina.types import Derived, Method, Task

WIDTHS = {"float32": 4, "bfloat16": 2}
"""Bytes of a number."""


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
            recipe=parse_recipe(dict(value["recipe"]), where="plan.json", several=True),
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


def make_plan(
    recipe: Recipe,
    base: Base,
    parts: Mapping[str, Rows],
    validation: Mapping[str, Rows],
    test_rows: int,
    machine: Machine,
) -> Plan:
    """Derive everything that is open. The recipe's tasks are resolved, and ``parts`` and ``validation``
    hold the rows of each by its name in ``Recipe.parts``.

    Raises RecipeError if knobs contradict each other or the data, MachineError if the run cannot
    fit into memory or on the disk.
    """
    book = Book()
    method, why = choose_method(recipe, base)
    book.take("method", recipe.method, method, why)
    rows, held = together(parts), together(validation)
    views = {}
    for name, view in recipe.parts.items():
        book.under = name
        own = derive_task(book, view.task, parts[name], base, method)
        proof = _derive_proof(book, view, own, parts[name])
        views[name] = view.model_copy(update={"task": own, **proof})
    book.under = ""
    recipe = recipe.with_parts(views)
    train, steps, steps_per_epoch = derive_train(book, recipe, method, base, parts, machine)
    resolved = recipe.model_copy(update={"method": method, "train": train})
    sizes = measure_parts(base, recipe.learned, method)
    resolved = _derive_bottom(book, resolved, base, rows, sizes, machine, steps / steps_per_epoch)
    resolved = _fit_memory(book, resolved, base, rows, sizes, machine, steps)
    cost = estimate(resolved, base, rows, sizes, machine, steps)
    _check_room(cost, machine)
    notes = (
        ()
        if held.kept
        else ("there are no validation rows: no early stopping, and the last weights are kept",)
    )
    return Plan(
        recipe=resolved,
        derived=tuple(book.lines),
        steps=steps,
        steps_per_epoch=steps_per_epoch,
        machine=machine,
        estimate=cost,
        rows=_row_facts(rows, held, test_rows),
        base=_base_facts(base),
        parts=sizes,
        notes=notes,
    )


def _derive_bottom(
    book: Book,
    recipe: Recipe,
    base: Base,
    rows: Rows,
    parts: Parts,
    machine: Machine,
    epochs: float,
) -> Recipe:
    """Whether the states below the lowest trained layer are kept."""
    train = recipe.train
    assert train.precision in WIDTHS
    size = rows.tokens * base.hidden_size * WIDTHS[train.precision]
    frozen = round(parts.lowest * base.layers)
    # Hidden tokens are drawn anew in every epoch.
    rewritten = any(view.objective.rewrites_rows for view in recipe.parts.values())
    new_rows = rewritten or is_masked(base, recipe.learned)
    within = train.exact or machine.device != "cpu" or base.kind == "seq2seq" or new_rows
    if within or frozen == 0:
        if train.frozen_bottom not in (None, "within"):
            raise RecipeError(
                "there are no frozen layers below the lowest trained one"
                if frozen == 0
                else "the frozen layers are worked apart on a CPU only, without train.exact, of "
                "encoders and decoders only, and not of rows that change while they are learned",
                where="train.frozen_bottom",
                do="leave it out, or take method: partial, or lora with layers",
            )
        return recipe
    pays = parts.lowest >= 0.25 and epochs > 1 and size < machine.free_disk_bytes / 10
    how = book.take(
        "train.frozen_bottom",
        train.frozen_bottom,
        "kept" if pays else "within",
        f"{frozen} of {base.layers} layers are frozen below the others; "
        f"their states of all rows take {size / 1e6:,.0f} MB",
    )
    return recipe.model_copy(update={"train": train.model_copy(update={"frozen_bottom": how})})


def _derive_proof(book: Book, recipe: Recipe, task: Task, rows: Rows) -> dict[str, Any]:
    """What the tuned model is measured against, and by what it is judged."""
    wished, objective = recipe.evaluate, recipe.objective
    by_task = objective.name == "supervised"
    what = f"task: {task.name}" if by_task else f"objective: {objective.name}"
    reason = f"what {what} is measured against"
    usual = objective.baselines(task)
    if recipe.retrieval is not None and task.head == "tokens":
        usual, reason = (*usual, "rag"), f"{reason}, and the documents"
    baselines = book.take("evaluate.baselines", wished.baselines, usual, reason)
    measured = objective.scorers(task, rows.shape)
    reason = f"the scores of {what}"
    scorers = book.take("evaluate.scorers", wished.scorers, measured, reason)
    reason = f"the first score of {what}, to be better than every baseline"
    goal = book.take("goal", recipe.goal, Goal(metric=measured[0]), reason)
    evaluation = wished.model_copy(update={"baselines": baselines, "scorers": scorers})
    return {"evaluate": evaluation, "goal": goal}


def _row_facts(rows: Rows, validation: Rows, test_rows: int) -> dict[str, int]:
    return {
        "train": len(rows.own),
        "validation": len(validation.kept),
        "test": test_rows,
        "tokens": rows.tokens,
        "loss_tokens": rows.loss_tokens,
        "longest": rows.longest,
        "truncated": rows.truncated,
        "dropped_too_long": len(rows.dropped),
        "replayed": rows.replayed,
    }


def _base_facts(base: Base) -> dict[str, Any]:
    names = ("name", "sha256", "parameters", "licence", "architecture", "context_length")
    return {name: getattr(base, name) for name in names}


def _fit_memory(
    book: Book,
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


@quiet()
def measure_parts(base: Base, task: Task, method: Method) -> Parts:
    """What would train and how large it is, from the shapes alone (no weights are read)."""
    import torch
    from transformers import AutoConfig

    from afina.methods.blocks import block_list
    from afina.models.load import auto_class, with_method

    config = AutoConfig.from_pretrained(base.folder, trust_remote_code=False)
    with torch.device("meta"):
        module = auto_class(base, task).from_config(config)
        prefix, layers = block_list(module)
        embedding = module.get_input_embeddings().weight.numel()
        head = module.get_output_embeddings().weight.numel() if task.head == "tokens" else 0
        tied = (
            head and module.get_output_embeddings().weight is module.get_input_embeddings().weight
        )
        if task.head != "tokens":
            settle_pooler(module, base.folder, reads_first(base, task))
        module = with_method(module, base, task, method)
    found: list[tuple[str, int, bool]] = [
        (n, p.numel(), p.requires_grad) for n, p in module.named_parameters()
    ]
    if task.outputs:
        found.append(("head.weight", task.outputs * (config.hidden_size + 1), True))
    outside = embedding + (0 if tied else head)
    return count_parts(
        found,
        {
            "layers": base.layers if task.reads_source else layers,
            "first_layer": base.layers - layers if task.reads_source else 0,
            "passed": 0.5 if task.reads_source else 1.0,
            "block_prefix": prefix,
            "embedding": outside,
            "head": head,
        },
    )
