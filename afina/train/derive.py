"""The values that a recipe leaves open, each with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from afina.errors import RecipeError
from afina.methods import Full, Lora
from afina.models.load import context_of, pooling_of
from afina.models.sources import Base
from afina.recipe import Recipe, Train
from afina.tasks import Classify, Pooled, Regress, Tag, Written
from afina.train.machine import Machine
from afina.train.passes import count_tokens
from afina.train.rows import Rows, together
from afina.train.turns import turns_of
from afina.types import Derived, Knobs, Method, Task

CPU_PASS_TOKENS = 4096
"""Tokens of one forward pass on a CPU, from which larger passes are no faster."""
GPU_PASS_TOKENS = 16384
KINDS = {"encoder": "encoders", "decoder": "decoders", "seq2seq": "encoder-decoders"}
SMALL, MANY_ROWS, GENTLEST = 50_000_000, 8_000, 0.25
"""A fitted head knows what the frozen vectors tell; with few rows the usual rate of a small base shakes
that away and does not win it back (docs/measured.md)."""
FLAT_GAIN = 1.05
"""How many times fewer tokens a flat line must have to be taken."""


class Book:
    """Collects the derived values with their reasons. ``under``: the task that the keys belong to."""

    def __init__(self) -> None:
        self.lines: list[Derived] = []
        self.under = ""

    def note(self, key: str, value: Any, reason: str, chosen: bool = False, unit: str = "") -> None:
        """One line, as it is."""
        key = f"tasks.{self.under}.{key}" if self.under else key
        self.lines.append(Derived(key, _plain(value), reason, chosen, unit))

    def take(self, key: str, chosen: Any, derived: Any, reason: str, unit: str = "") -> Any:
        """The user's value if there is one, else the derived one; noted either way."""
        if chosen is not None:
            self.note(key, chosen, "as the recipe says", True, unit)
            return chosen
        self.note(key, derived, reason, False, unit)
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
    if base.kind != "decoder" and base.parameters <= 400e6:
        what = "an encoder" if base.kind == "encoder" else "an encoder-decoder"
        return Full(), f"{what} of {base.parameters / 1e6:,.0f} M parameters trains whole"
    return Lora(), f"a base of {base.parameters / 1e6:,.0f} M parameters: small updates are enough"


def derive_task(
    book: Book, task: Task, rows: Rows, base: Base, method: Method | None = None
) -> Task:
    if isinstance(task, Classify | Tag):
        book.note("task.labels", len(task.known_labels), "found in the data", unit="labels")
    if isinstance(task, Regress):
        mean, deviation = task.scale
        why = "of the training rows' numbers"
        book.note("task.mean", mean, f"the mean {why}")
        book.note("task.deviation", deviation, f"the standard deviation {why}")
    if isinstance(task, Pooled):
        pooling = pooling_of(base, task)
        reason = "what the base was made with" if base.pooling else f"usual for {KINDS[base.kind]}"
        chosen = None if task.pooling == "auto" else task.pooling
        book.take("task.pooling", chosen, pooling, reason)
        return task.model_copy(update={"pooling": pooling})
    if isinstance(task, Written):
        longest = max((sum(t >= 0 for t in r.targets) for r in rows.own), default=1)
        limit = book.take(
            "task.max_new_tokens",
            task.max_new_tokens,
            min(max(16, 2 * longest), context_of(base, method)),
            f"twice the longest answer of the training rows ({longest} tokens)",
            "tokens",
        )
        return task.model_copy(update={"max_new_tokens": limit})
    return task


def derive_train(
    book: Book,
    recipe: Recipe,
    method: Method,
    base: Base,
    parts: Mapping[str, Rows],
    machine: Machine,
) -> tuple[Train, int, int]:
    """The resolved ``train`` knobs, the optimiser steps, and the steps of an epoch.

    ``parts``: the rows of each task.
    """
    train, task, rows = recipe.train, recipe.learned, together(parts)
    counts = {name: len(own.kept) for name, own in parts.items()}
    count = sum(counts.values())
    for name in (name for name, own in counts.items() if not own):
        where = f"tasks.{name}.data.train" if name else "data.train"
        raise RecipeError("no row is left to learn from", where=where, do="add examples")
    _check_length(recipe, base, method)
    longest, why = rows.longest, "the longest training row"
    if train.on_too_long == "truncate":  # inputs are cut there after training too
        longest, why = context_of(base, method), "what the base takes; longer rows are cut"
    length = book.take("train.max_length", train.max_length, longest, why, "tokens")
    size = 8 if count < 400 else 16 if count < 4000 else 32
    reason = f"{count:,} training rows"
    batch = min(
        count, book.take("train.batch_size", train.batch_size, min(size, count), reason, "rows")
    )
    turns = turns_of(recipe, counts, batch)
    if recipe.tasks:
        told = ", ".join(f"{name} {steps}" for name, steps in turns.items())
        mixing = None if any(p.weight for p in recipe.tasks.values()) else train.mixing
        book.take("train.mixing", mixing, _usual_mixing(recipe), f"steps of an epoch: {told}")
    per_epoch = sum(turns.values())
    usual = method.epochs or (3 if task.head == "tokens" else 5)
    why = f"method {method.name}" if method.epochs else f"task: {task.name}"
    epochs = book.take("train.epochs", train.epochs, usual, f"usual for {why}")
    steps = epochs * per_epoch
    if train.max_steps is not None:
        steps = train.max_steps if train.epochs is None else min(steps, train.max_steps)
    each = max(1, per_epoch // train.evaluations_per_epoch)
    size = _derive_pass(book, train, batch, rows, machine)
    update: dict[str, Any] = {
        "max_length": length,
        "batch_size": batch,
        "epochs": max(epochs, -(-steps // per_epoch)),
        "max_steps": steps,
        **_derive_rates(book, recipe, task, method, base, count),
        **_derive_arithmetic(book, recipe, machine),
        "micro_batch_size": size,
        "flat": _derive_flat(book, recipe, task, method, base, rows, (batch, size), machine),
        "save_every_steps": book.take(
            "train.save_every_steps", train.save_every_steps, each, "at each evaluation", "steps"
        ),
    }
    return train.model_copy(update=update), steps, per_epoch


def _usual_mixing(recipe: Recipe) -> str:
    weighted = any(part.weight for part in recipe.tasks.values())
    return "the weights of the tasks" if weighted else "proportional"


def _derive_rates(
    book: Book, recipe: Recipe, task: Task, method: Method, base: Base, rows: int
) -> dict[str, float]:
    train = recipe.train
    objective = min((v.objective for v in recipe.parts.values()), key=lambda o: o.rate_share)
    rate, why = method.learning_rate(base.parameters, task.head)
    if objective.rate_share != 1.0:
        rate *= objective.rate_share
        why = f"{why}, times {objective.rate_share:g} for objective {objective.name}"
    fitted = isinstance(task, Pooled) and task.head_start == "fitted"
    gentle = max(GENTLEST, rows / MANY_ROWS)
    if fitted and not method.adapter and base.parameters <= SMALL and gentle < 1.0:
        rate *= gentle
        why = f"{why}, times {gentle:.2f}: {rows:,} rows under a head that begins fitted to them"
    rate = book.take("train.learning_rate", train.learning_rate, rate, why)
    head_rate = rate
    if task.outputs:
        reason = "a new head learns faster than the body"
        wished = train.head_learning_rate
        head_rate = book.take("train.head_learning_rate", wished, max(1e-3, rate), reason)
    return {"learning_rate": rate, "head_learning_rate": head_rate}


def _derive_pass(book: Book, train: Train, batch: int, rows: Rows, machine: Machine) -> int:
    """Rows of one forward pass."""
    tokens = GPU_PASS_TOKENS if machine.device == "cuda" else CPU_PASS_TOKENS
    fitting = max(1, min(batch, tokens // max(1, rows.widest)))
    reason = f"up to {tokens:,} tokens in one pass"
    wished = train.micro_batch_size
    size: int = book.take("train.micro_batch_size", wished, fitting, reason, "rows")
    return min(batch, size)


def _derive_flat(
    book: Book,
    recipe: Recipe,
    task: Task,
    method: Method,
    base: Base,
    rows: Rows,
    sizes: tuple[int, int],
    machine: Machine,
) -> bool:
    """Whether rows are laid end to end. ``sizes``: rows of a step and of a pass."""
    train = recipe.train
    writes = task.head == "tokens" and base.kind == "decoder"
    apart = not writes or bool(method.virtual_tokens)
    if apart or machine.device != "cpu" or train.exact:
        if train.flat:
            raise RecipeError(
                "rows are laid end to end only for language models, on a CPU, without train.exact "
                "and without virtual tokens",
                where="train.flat",
                do="leave it out",
            )
        return False
    padded, flat = count_tokens(rows.kept, *sizes, train.seed)
    gain = padded / flat
    reason = f"without padding and repeated beginnings a step has {gain:.2f} times fewer tokens"
    chosen: bool = book.take("train.flat", train.flat, gain >= FLAT_GAIN, reason)
    return chosen


def _derive_arithmetic(book: Book, recipe: Recipe, machine: Machine) -> dict[str, Any]:
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


def _check_length(recipe: Recipe, base: Base, method: Method) -> None:
    wished, most = recipe.train.max_length, context_of(base, method)
    if wished is not None and wished > most:
        virtual = f" behind {method.virtual_tokens} virtual ones" if method.virtual_tokens else ""
        raise RecipeError(
            f"{wished} tokens{virtual} are more than {base.name} can take",
            where="train.max_length",
            do=f"at most {most}",
        )
