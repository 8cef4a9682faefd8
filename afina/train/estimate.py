"""What a run will take on this machine: operations, seconds, bytes. Figures, with their reasons.

Operations follow the usual count (Kaplan et al. 2020, arXiv 2001.08361): 2 for each weight and token
forward, 2 more for the gradient of the inputs where something below still trains, 2 more for the
gradient of weights that move.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from afina.models.sources import Base
from afina.recipe import Recipe
from afina.train.machine import Machine
from afina.train.rows import Rows

RUNTIME_BYTES = 700_000_000
"""Python, PyTorch and Transformers before a model is loaded, measured on Linux."""
MATMUL_SHARE = {"cpu": 0.40, "cuda": 0.40}
"""Share of the measured matrix-product speed that a whole step reaches."""


@dataclass(frozen=True)
class Estimate:
    """Expected cost of training (evaluation and baselines not included)."""

    operations: float
    seconds: float
    memory_bytes: int
    disk_bytes: int
    tokens: int
    loss_tokens: int

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Parts:
    """Sizes that the estimate needs. ``lowest`` is the share of layers below which nothing trains;
    ``passed`` the share of the body that one token passes (half of an encoder-decoder)."""

    total: int
    trained: int
    head: int
    embedding: int
    lowest: float
    passed: float = 1.0


def estimate(
    recipe: Recipe, base: Base, rows: Rows, parts: Parts, machine: Machine, steps: int
) -> Estimate:
    """The cost of ``steps`` optimiser steps over the rows with a resolved recipe."""
    train = recipe.train
    assert train.batch_size and train.micro_batch_size and recipe.method is not None
    epochs = steps * train.batch_size / max(1, len(rows.kept))
    tokens = int(rows.tokens * epochs)
    loss_tokens = int(rows.loss_tokens * epochs)
    body = max(0, parts.total - parts.embedding) * parts.passed
    forward = 2.0 * body
    back = 2.0 * body * (1 - parts.lowest)
    weights = 2.0 * min(parts.trained * parts.passed, body)
    kept = train.frozen_bottom == "kept"
    again = forward * (1 - parts.lowest) if kept else forward
    once = rows.tokens * forward * parts.lowest if kept else 0.0
    worked = tokens + recipe.method.worked_tokens * epochs * len(rows.kept)
    operations = once + worked * (again + back + weights) + loss_tokens * 4.0 * parts.head
    bfloat16 = train.precision == "bfloat16"
    seconds = operations / _speed(str(train.precision), machine) + steps * 0.01
    return Estimate(
        operations=operations,
        seconds=seconds,
        memory_bytes=_memory(recipe, base, rows, parts, 2 if bfloat16 else 4, machine.device),
        disk_bytes=_disk(recipe, parts, bfloat16)
        + (rows.tokens * base.hidden_size * (2 if bfloat16 else 4) if kept else 0),
        tokens=tokens,
        loss_tokens=loss_tokens,
    )


def reading_seconds(tokens: int, parts: Parts, precision: str, machine: Machine) -> float:
    """What it takes to read so many tokens once, without learning from them."""
    body = max(0, parts.total - parts.embedding) * parts.passed
    return tokens * 2.0 * (body + parts.head) / _speed(precision, machine)


def _speed(precision: str, machine: Machine) -> float:
    """Operations a second that a step reaches."""
    peak = machine.bfloat16_gflops if precision == "bfloat16" else machine.float32_gflops
    return peak * 1e9 * MATMUL_SHARE[machine.device]


def _memory(recipe: Recipe, base: Base, rows: Rows, parts: Parts, width: int, device: str) -> int:
    train = recipe.train
    method = recipe.method
    assert method is not None and train.micro_batch_size
    if method.four_bit:
        weights = int((parts.total - parts.embedding) * 0.57) + parts.embedding * width
    else:
        weights = parts.total * width
    moving = parts.trained * (12 + (4 if width == 2 else 0) + width)
    pass_tokens = train.micro_batch_size * (rows.widest + method.virtual_tokens)
    depth = base.layers * (1 - parts.lowest) * parts.passed
    # What autograd keeps for a token and layer, counted over the tensors of a gated block with
    # adapters: about 34 vectors of the hidden size.
    activations = int(pass_tokens * depth * base.hidden_size * 34 * width)
    head = min(512, pass_tokens) * base.vocabulary * 8 if parts.head else 0
    runtime = RUNTIME_BYTES if device == "cpu" else 300_000_000
    return int(runtime + weights + moving + activations + head)


def _disk(recipe: Recipe, parts: Parts, bfloat16: bool) -> int:
    kept = recipe.train.keep_checkpoints + 2  # the best one, and one being written
    method = recipe.method
    assert method is not None
    model = parts.trained * 4 if method.adapter else parts.total * (2 if bfloat16 else 4)
    return parts.trained * 12 * kept + model + 5_000_000


def count_parts(parameters: Sequence[tuple[str, int, bool]], facts: Mapping[str, Any]) -> Parts:
    """Sizes from ``(name, numbers, moves)`` of every parameter and the base's facts.

    ``facts``: ``layers``, ``block_prefix``, the place ``first_layer`` among all layers of the first
    block under that prefix, ``passed``, and ``embedding`` and ``head`` in numbers.
    """
    prefix = str(facts["block_prefix"]) + "."
    lowest = float(facts["layers"])
    behind = False  # what comes after the layers stands above them, like a final norm
    for name, _, moves in parameters:
        inside = prefix in name
        behind = behind or inside
        if moves and inside:
            own = float(name.split(prefix, 1)[1].split(".", 1)[0])
            lowest = min(lowest, own + float(facts["first_layer"]))
        elif moves and not behind:
            lowest = 0.0
    return Parts(
        total=sum(n for _, n, _ in parameters),
        trained=sum(n for _, n, moves in parameters if moves),
        head=int(facts["head"]),
        embedding=int(facts["embedding"]),
        lowest=lowest / max(1.0, float(facts["layers"])),
        passed=float(facts["passed"]),
    )
