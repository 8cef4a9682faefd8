"""The order of a sweep: rows and space, one trial after the other, and the best one as a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import DataError, RecipeError, TrainingError
from afina.evaluate.figures import language_named
from afina.evaluate.scorers import check_rows, choose
from afina.flow.preparing import Ground, Say, silent
from afina.flow.trying import common_ground
from afina.recipe import Goal, Recipe, dump_recipe, sweep_fingerprint
from afina.store.workplace import Workplace, drop_checkpoints
from afina.sweep.outcome import Found, Tried
from afina.sweep.page import page
from afina.sweep.space import (
    VALIDATION_LOSS,
    Space,
    chosen,
    holds_all,
    space_of,
    usual,
)
from afina.sweep.study import Study
from afina.sweep.trial import Bench, attempt

if TYPE_CHECKING:
    from afina.evaluate import Scorer
    from afina.train.loop import Watcher
    from afina.train.plan import Plan

PAGE, BEST, RUN = "sweep.html", "best.yaml", "run.json"


def sweep(
    recipe: Recipe,
    home: Path,
    *,
    watch: Watcher = lambda _: None,
    say: Say = silent,
    show: Callable[[Space], None] = lambda _: None,
    language: str = "en",
) -> Found:
    """Try settings until their number or the time is reached; the best one becomes a trained run.

    A sweep of the same recipe that was stopped, or had fewer trials, is gone on with. The sealed test
    is not opened. ``show`` is told the space before the first trial. Raises RecipeError for a space
    that makes no sense, DataError without validation rows, TrainingError if no trial came to its
    end, and what data, base and machine raise.
    """
    language_named(language)  # a language that the page has not is told before hours of trials
    started = time.perf_counter()
    place = Workplace(home, "sweeps", sweep_fingerprint(recipe))
    with place.lock():
        ground = _ground(recipe, place, say)
        plan = ground.prepare(recipe).plan
        scorer = _scorer(recipe, plan, ground)
        space = space_of(recipe, plan, VALIDATION_LOSS if scorer is None else scorer.name)
        place.agree(_facts(ground, space, scorer))
        show(space)
        study = Study(place.folder, recipe.train.seed)
        own = usual(space, plan)
        study.begin(own)
        late = _clock(recipe, study, started)
        bench = Bench.of(recipe, plan, ground, scorer, place, watch, late)
        _try_all(bench, study, space, say)
        best = _best(study, bench)
        assert best is not None
        run, outcome, resolved = _as_run(bench, place, best, say)
        found = Found(
            folder=str(place.folder),
            metric=VALIDATION_LOSS if scorer is None else scorer.name,
            unit="plain" if scorer is None else scorer.unit,
            better="lower" if scorer is None else scorer.better,
            rows=len(bench.rows),
            space=space,
            trials=study.tried(),
            own=holds_all(space, plan, own),
            interrupted=study.interrupted,
            importance=study.importance(),
            best=best,
            recipe=str(place.write(BEST, dump_recipe(resolved))),
            page=str(place.folder / PAGE),
            run=run,
            outcome=outcome,
            seconds=time.perf_counter() - started,
        )
        place.write(PAGE, page(found.as_dict()["sweep"], recipe.name or "", language))
    return found


def _facts(ground: Ground, space: Space, scorer: Scorer | None) -> dict[str, Any]:
    """What trials must share to be compared."""
    return {
        "data": ground.dataset.fingerprint,
        "base": ground.base.sha256,
        "device": ground.machine.device,
        "space": [knob.as_dict() for knob in space],
        "metric": VALIDATION_LOSS if scorer is None else scorer.name,
    }


def _ground(recipe: Recipe, place: Workplace, say: Say) -> Ground:
    """What the trials stand on. Raises DataError without validation rows."""
    ground = common_ground(recipe, place, say, thorough=True)
    if not ground.dataset.validation:
        raise DataError(
            "there are no validation rows to compare trials by",
            where="data.split.validation",
            do="give it a share, or name a file in data.validation",
        )
    return ground


def _scorer(recipe: Recipe, plan: Plan, ground: Ground) -> Scorer | None:
    """The score that trials are compared by; None for the loss."""
    stated = recipe.sweep.metric or (recipe.goal.metric if recipe.goal else None)
    if stated == VALIDATION_LOSS:
        return None
    assert plan.recipe.goal is not None
    where = "sweep.metric" if recipe.sweep.metric else "goal.metric"
    try:
        goal = Goal(metric=stated or plan.recipe.goal.metric)
        scorer = choose(plan.recipe.task, (), goal)[0]
    except RecipeError as error:
        raise RecipeError(error.what, where=where, do=error.do) from None
    check_rows((scorer,), ground.dataset.validation)
    if stated is None and scorer.source == "answers" and plan.recipe.task.head == "tokens":
        return None
    if scorer.source == "gain":
        raise RecipeError(
            f"{scorer.name} sets a model against the base, and a trial stands alone",
            where=where,
            do="set sweep.metric to another score, or to validation_loss",
        )
    return scorer


def _clock(recipe: Recipe, study: Study, started: float) -> Callable[[], bool]:
    """Whether the time is over, with what earlier processes spent on trials."""
    minutes, before = recipe.sweep.minutes, study.seconds
    return lambda: minutes is not None and before + time.perf_counter() - started > 60 * minutes


def _try_all(bench: Bench, study: Study, space: Space, say: Say) -> None:
    asked = bench.recipe.sweep.trials
    if study.over:
        say(f"going on with this sweep: {study.over} trials have come to their end")
    while study.over < asked and not (study.complete and bench.late()):
        trial = study.ask()
        values = chosen(space, trial, bench.recipe)
        number = int(trial.user_attrs["place"])
        told = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
                         for key, value in values.items())  # fmt: skip
        say(f"trial {number} of {asked}: {told}")
        attempt(bench, study, trial, values)
        best = _best(study, bench, required=False)
        for other in study.tried():
            if best is None or other.number != best.number:
                drop_checkpoints(bench.run_of(other.number))


def _best(study: Study, bench: Bench, *, required: bool = True) -> Tried | None:
    """The complete trial with the best score, of equal ones the first."""
    trials = study.tried()
    complete = [t for t in trials if t.value is not None]
    if not complete and required:
        raise TrainingError(
            "no trial came to its end",
            where="afina sweep",
            problems=[f"trial {t.number}: {t.reason}. {t.told}" for t in trials[:20]],
            do="narrow sweep.space, or give it more time",
        )
    sign = -1 if bench.scorer is None else bench.scorer.sign
    return max(complete, key=lambda t: (sign * (t.value or 0.0), -t.number), default=None)


def _as_run(
    bench: Bench, place: Workplace, best: Tried, say: Say
) -> tuple[str, dict[str, Any], Recipe]:
    """The best trial as a whole run: its weights, through the acceptance gate. Trained no further.

    Returns its id, the contract's object and its resolved recipe.
    """
    from afina.flow.training import begin, carry_out, outcome_of
    from afina.store import Run

    ready = bench.ready(dict(best.knobs), best.number)
    noted = place.read(RUN) or {}
    there = noted.get("trial") == best.number and Path(noted["folder"]).is_dir()
    home = place.home
    run = Run.open(home, noted["folder"]) if there else Run.create(home, bench.recipe.name)
    if run.status == "succeeded":
        return run.id, outcome_of(run, {"": ready.only.dataset}), ready.plan.recipe
    say(f"trial {best.number} is the best: it becomes run {run.id}")
    place.note(RUN, {"trial": best.number, "run": run.id, "folder": str(run.folder)})
    begin(run, ready)
    run.take_over(bench.run_of(best.number))
    return run.id, carry_out(run, ready, None), ready.plan.recipe
