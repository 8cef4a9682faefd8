"""Trainings that become no runs of their own: the trials of a sweep, the folds of a cross-validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from afina.errors import Interrupted
from afina.flow.preparing import Ground, Prepared, Say
from afina.flow.threshold import chosen
from afina.flow.training import taught_rows
from afina.recipe import Recipe, dump_recipe
from afina.types import Example

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel
    from afina.models.shelf import Shelf
    from afina.store import Run
    from afina.store.workplace import Workplace
    from afina.train.loop import Training, Watcher


def common_ground(recipe: Recipe, place: Workplace, say: Say, *, thorough: bool = False) -> Ground:
    """What all of them stand on; the machine as it was when the work began, so that plans are alike."""
    ground = Ground.of(recipe, place.home, say=say, thorough=thorough)
    now = ground.machine
    of_now = ("free_memory_bytes", "free_disk_bytes", "device", "device_name")
    noted = place.settled("machine.json", asdict(now))
    return replace(
        ground, machine=type(now)(**{**noted, **{name: getattr(now, name) for name in of_now}})
    )


def as_planned(ready: Prepared, part: Run) -> Prepared:
    """With the plan that a training began with, if it was begun before."""
    from afina.train.plan import Plan

    if not (part.folder / "plan.json").is_file():
        return ready
    return replace(ready, plan=Plan.from_dict(part.read("plan.json")))


def try_out(ready: Prepared, part: Run, watch: Watcher, shelf: Shelf) -> Training:
    """Train by a plan in the folder ``part``, from its newest checkpoint if it has one.

    Recipe, plan, metrics and checkpoints lie there; no model is published, nothing passes the gate
    and no registry hears of it. ``shelf`` keeps the base for the next one. Raises what training
    raises.
    """
    from afina.store import durable
    from afina.train.loop import Training

    durable.make_folder(part.folder)
    part.write("recipe.yaml", dump_recipe(ready.plan.recipe))
    part.write("plan.json", ready.plan.as_dict())
    rows, validation = taught_rows(ready, part.home)
    with part.lock():
        training = Training(
            ready.plan, ready.base, rows, validation, part, ready.renderer, watch, shelf
        )
        try:
            training.go()
        except Interrupted as error:
            raise Interrupted(
                error.what, where=part.id, do="the same command goes on with it"
            ) from None
    return training


def answering(training: Training, validation: Sequence[Example]) -> TunedModel:
    """The best weights of a training, ready to answer; what only its answers settle is settled."""
    from afina.models.predictor import TunedModel

    model = training.best()
    model.network.eval()
    tuned = TunedModel(model)
    if (found := chosen(lambda: tuned, model.task, validation)) is not None:
        model.task = found[0]
    return tuned
