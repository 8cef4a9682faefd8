"""The acceptance gate: a run succeeds only if its model is sound, changed, and the one on disk.

Checked: weights finite; weights moved; some token or row was learned from; frozen weights equal bit
for bit; and the saved model, opened anew, gives the same outputs as the one in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from afina.errors import TrainingError
from afina.models.load import Model
from afina.models.network import TokenNetwork
from afina.models.save import open_model, save_model
from afina.store import Run
from afina.train.batches import collate
from afina.train.state import Progress
from afina.train.weights import Weights, sha256_of
from afina.types import Batch, Encoded, Targets

PROBE_ROWS = 4


def publish(
    model: Model,
    weights: Weights,
    progress: Progress,
    run: Run,
    rows: Mapping[str, Sequence[Encoded]],
    figures: dict[str, Any],
    kinds: Mapping[str, Targets],
) -> None:
    """Check the weights, write the model into the run, and check what was written.

    ``rows`` and ``kinds``: of each task.
    Raises TrainingError with the reason; the model folder of a refused run does not stay.
    """
    _check_weights(model, weights, progress)
    probes = {
        task: collate(own[:PROBE_ROWS], kind=kinds[task], device=model.device)
        for task, own in rows.items()
    }
    for network in model.network.each:  # as the opened one works them: a flat line rounds otherwise
        if isinstance(network, TokenNetwork):
            network.flat = False
    expected = _answers(model, probes)
    facts = {"run": run.id, "weights_sha256": figures["weights_sha256"]}

    def write(folder: Path) -> None:
        save_model(model, folder, weights.tensors(), facts)

    run.publish_model(write)
    base, device = model.base, str(model.device)
    for parameter in model.network.parameters():  # give the memory back before a second copy comes
        parameter.data = parameter.data.new_empty(0)
    found = _answers(open_model(run.model_folder, base=base, device=device), probes)
    figures["reload_difference"] = float((expected - found).abs().max())
    same = torch.equal(expected, found) if device == "cpu" else figures["reload_difference"] < 1e-2
    if not same:
        number = sum(1 for _ in run.folder.glob("model-refused-*")) + 1
        refused = run.folder / f"model-refused-{number}"
        run.model_folder.rename(refused)
        raise TrainingError(
            f"the saved model answers differently from the trained one "
            f"(by up to {figures['reload_difference']:.3g})",
            where=str(refused),
            do="this is a fault of Afina: please report it with the recipe",
        )
    run.event("gate", passed=True, reload_difference=figures["reload_difference"])


def _answers(model: Model, probes: Mapping[str, Batch]) -> torch.Tensor:
    """What the model says of the rows of each task, in one line."""
    return torch.cat([outputs(model.of(task), batch).flatten() for task, batch in probes.items()])


def outputs(model: Model, batch: Batch) -> torch.Tensor:
    """What the model says of a batch, as one float32 tensor."""
    model.network.eval()
    with torch.no_grad():
        return model.network.outputs(batch).cpu()


def _check_weights(model: Model, weights: Weights, progress: Progress) -> None:
    broken = weights.first_not_finite()
    if broken:
        raise TrainingError(
            f"the weight {broken} is not finite", do="lower train.learning_rate, or use float32"
        )
    if model.head == "tokens" and progress.loss_tokens == 0:
        raise TrainingError(
            "no token was in the loss",
            do="check the data: afina check --show-loss; with objective: policy, no answer was "
            "rewarded more than another of its group",
        )
    if sha256_of(weights.tensors()) == progress.initial_sha256:
        raise TrainingError(
            "training did not change a single weight", do="raise train.learning_rate or epochs"
        )
    frozen = {n: p for n, p in model.network.named_parameters() if not p.requires_grad}
    if sha256_of(frozen) != progress.frozen_sha256:
        raise TrainingError(
            "frozen weights changed",
            do="this is a fault of Afina: please report it with the recipe",
        )
