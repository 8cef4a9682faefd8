"""What a checkpoint of a training run holds, and how it goes back into the weights.

Everything else that a run needs (order of rows, dropout, rates) is a pure function of the seed and
the step, so nothing else has to be kept.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from afina.errors import MachineError, RunError
from afina.store import Checkpoint, Run
from afina.train.weights import Weights

WEIGHTS_FILE = "weights.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"


@dataclass
class Progress:
    """Where a run stands after ``step`` optimiser steps. ``best``: lower is better."""

    step: int = 0
    tokens: int = 0
    loss_tokens: int = 0
    rows: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int | None = None
    evaluations_without_gain: int = 0
    stopped: str = ""
    validation: list[float] = field(default_factory=list)
    training: list[float] = field(default_factory=list)
    """Mean training loss between evaluations; the open stretch is (sum, weight) below."""
    stretch_sum: float = 0.0
    stretch_weight: float = 0.0
    initial_sha256: str = ""
    frozen_sha256: str = ""


def commit(run: Run, weights: Weights, progress: Progress, *, best: bool = False) -> None:
    """Write a checkpoint of this step; the best one stays until a better one is whole."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def write(folder: Path) -> None:
        tensors = {n: t.cpu().contiguous() for n, t in weights.tensors().items()}
        try:
            save_file(tensors, folder / WEIGHTS_FILE)
            save_file(weights.optimizer_tensors(), folder / OPTIMIZER_FILE)
        except SafetensorError as error:  # it hides the OSError of a full disk
            raise MachineError(
                f"the checkpoint of step {progress.step} could not be written: {error}",
                where=str(folder.parent),
                do=f"free some disk space, then: afina train --resume {run.id}",
            ) from None

    run.checkpoints.commit(progress.step, write, asdict(progress), pinned=best)


def restore(run: Run, weights: Weights) -> Progress | None:
    """Put the newest whole checkpoint back; None if there is none yet."""
    checkpoint = run.checkpoints.newest()
    if checkpoint is None:
        return None
    fill(checkpoint, weights, with_optimizer=True)
    return Progress(**dict(checkpoint.facts))


def restore_best(run: Run, weights: Weights, progress: Progress) -> None:
    """Put the weights of the best evaluation back (the optimiser stays)."""
    if progress.best_step is None or progress.best_step == progress.step:
        return
    checkpoint = run.checkpoints.at(progress.best_step)
    if checkpoint is None:
        raise RunError(
            f"the best checkpoint, of step {progress.best_step}, is gone",
            where=str(run.folder / "checkpoints"),
            do="train again",
        )
    fill(checkpoint, weights, with_optimizer=False)


def fill(checkpoint: Checkpoint, weights: Weights, *, with_optimizer: bool) -> None:
    from safetensors.torch import load_file

    tensors: dict[str, Any] = load_file(checkpoint.folder / WEIGHTS_FILE)
    optimizer = load_file(checkpoint.folder / OPTIMIZER_FILE) if with_optimizer else None
    weights.restore(tensors, optimizer)
