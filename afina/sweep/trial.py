"""One trial: an ordinary training by an ordinary plan, stopped early where it is not worth going on.

It stands in a folder of its own like a run, with checkpoints but without a model, a registry line or
an acceptance gate: the best one becomes a run and passes the gate then.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from afina.errors import (
    Interrupted,
    MachineError,
    RecipeError,
    TrainingError,
    is_out_of_memory,
)
from afina.evaluate import Score, Scorer
from afina.flow.lengths import measurable
from afina.flow.preparing import Ground, Prepared
from afina.flow.trying import answering, as_planned, try_out
from afina.recipe import Goal, Recipe
from afina.sweep.outcome import LOOKS
from afina.sweep.space import applied, with_method
from afina.types import Example

if TYPE_CHECKING:
    from optuna.trial import Trial

    from afina.models.shelf import Shelf
    from afina.store import Run
    from afina.store.workplace import Workplace
    from afina.sweep.study import Study
    from afina.train.loop import Step, Training, Watcher
    from afina.train.plan import Plan


class Stop(Exception):
    """A trial is not worth going on with, or there is no time left."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Bench:
    """What all trials share. ``scorer`` None: they are compared by the validation loss.

    ``rows``: the validation rows that can be measured. ``late``: whether the time is over.
    """

    recipe: Recipe
    ground: Ground
    shelf: Shelf
    scorer: Scorer | None
    rows: Sequence[Example]
    place: Workplace
    watch: Watcher
    late: Callable[[], bool]

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        plan: Plan,
        ground: Ground,
        scorer: Scorer | None,
        place: Workplace,
        watch: Watcher,
        late: Callable[[], bool],
    ) -> Bench:
        """For a recipe and its plan."""
        from afina.models.shelf import Shelf

        task = plan.recipe.task
        rows = measurable(ground.dataset.validation, task, ground.base, recipe)
        whole = with_method(recipe, plan)
        return cls(whole, ground, Shelf(), scorer, rows, place, watch, late)

    def run_of(self, number: int) -> Run:
        """The folder of a trial, as a run."""
        return self.place.part(f"trial-{number:03d}")

    def ready(self, values: dict[str, Any], number: int) -> Prepared:
        """Rows and plan of a trial; the plan that it began with. Raises what the plan raises."""
        recipe = applied(self.recipe, values)
        looked = _looked_at(recipe, self.ground.prepare(recipe).plan.recipe)
        return as_planned(self.ground.prepare(looked), self.run_of(number))


def _looked_at(recipe: Recipe, resolved: Recipe) -> Recipe:
    """With so many evaluations that each part of the steps has one; patience grows with them."""
    train = recipe.train
    before, patience = train.evaluations_per_epoch, train.early_stopping
    each = max(before, -(-LOOKS // (resolved.train.epochs or 1)))
    update = {
        "evaluations_per_epoch": each,
        "early_stopping": patience and -(-patience * each // before),
    }
    return recipe.model_copy(update={"train": train.model_copy(update=update)})


def attempt(bench: Bench, study: Study, trial: Trial, values: dict[str, Any]) -> None:
    """Train and measure a trial, and tell the study what came of it.

    Raises Interrupted (then it stays open, to be gone on with) and what no setting is to blame for.
    """
    trial.set_user_attr("knobs", values)
    study.take_up(trial)
    started = time.perf_counter()
    place = int(trial.user_attrs["place"])
    reason = told = ""
    score = Score(0.0, 0.0, 0.0)
    try:
        score = _trained(bench, study, trial, bench.run_of(place), values)
    except Interrupted:
        study.pause(trial)
        raise
    except Stop as stop:
        reason = stop.reason
    except TrainingError as error:
        reason, told = "diverged", error.what
    except RecipeError as error:
        reason, told = "refused", error.what
    except MachineError as error:
        if error.where != "memory":
            raise
        reason, told = "out_of_memory", error.what
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        reason, told = "out_of_memory", str(error).splitlines()[0][:200] if str(error) else ""
    finally:
        gc.collect()
    trial.set_user_attr("seconds", round(time.perf_counter() - started, 3))
    if reason:
        study.give_up(trial, reason, told)
        return
    for name in ("value", "low", "high"):
        trial.set_user_attr(name, getattr(score, name))
    sign = -1 if bench.scorer is None else bench.scorer.sign
    study.tell(trial, sign * score.value)


def _trained(bench: Bench, study: Study, trial: Trial, run: Run, values: dict[str, Any]) -> Score:
    """The score of a trial that came to its end. Raises Stop for one that did not."""
    ready = bench.ready(values, int(trial.user_attrs["place"]))

    def watch(step: Step) -> None:
        if step.score is not None:
            look = LOOKS * step.step // step.steps
            worse = 0 < look < LOOKS and not study.goes_on(trial, look, -step.score)
            if worse and bench.recipe.sweep.prune:
                raise Stop("worse")
        if bench.late() and study.complete:
            raise Stop("late")
        if not step.alert:  # that a trial learns by heart is a matter of the trial
            bench.watch(step)

    return _measured(bench, ready, try_out(ready, run, watch, bench.shelf))


def _measured(bench: Bench, ready: Prepared, training: Training) -> Score:
    """The best weights on the validation rows, as the evaluation measures a model."""
    from afina.evaluate import evaluate
    from afina.flow.passages import as_asked

    if bench.scorer is None:
        losses = [m["validation_loss"] for m in training.run.metrics() if "validation_loss" in m]
        return Score(min(losses), min(losses), None)
    recipe = ready.plan.recipe
    dataset = ready.only.dataset
    settings = recipe.evaluate.model_copy(
        update={"baselines": (), "scorers": (bench.scorer.name,), "samples": 0}
    )
    report = evaluate(
        [as_asked(recipe, answering(training, dataset.validation))],
        bench.rows,
        task=recipe.task.over(bench.rows, dataset.train),
        tuned="tuned",
        goal=Goal(metric=bench.scorer.name),
        settings=settings,
        seed=recipe.train.seed,
    )
    return report.candidate("tuned").scores[bench.scorer.name]
