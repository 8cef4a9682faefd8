"""k-fold cross-validation: the recipe trained and measured k times, on rows that are not sealed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import RequestError
from afina.flow.measuring import Candidate, baselines, judged
from afina.flow.passages import as_asked
from afina.flow.preparing import Ground, Say, silent
from afina.flow.trying import answering, as_planned, common_ground, try_out
from afina.recipe import Recipe, folds_fingerprint

if TYPE_CHECKING:
    from afina.evaluate import Report
    from afina.models.shelf import Shelf
    from afina.store.workplace import Workplace
    from afina.train.loop import Watcher

MOST = 100
REPORT, FOUND = "report.json", "folds.json"


def cross_validate(
    recipe: Recipe,
    home: Path,
    count: int,
    *,
    watch: Watcher = lambda _: None,
    say: Say = silent,
) -> dict[str, Any]:
    """Train ``count`` times without one part of the rows and measure on it, with the baselines.

    Returns what ``afina run --folds`` prints under ``folds``, which is also kept in the home. Folds
    that are there already are not made again, one that was stopped is gone on with. The sealed test
    is not opened. Raises RequestError for a number of folds that makes no sense, DataError for rows
    that cannot be divided so, and what training raises.
    """
    from afina.data.folds import folds
    from afina.evaluate.folds import over_folds
    from afina.models.shelf import Shelf
    from afina.store.workplace import Workplace

    if not 2 <= count <= MOST:
        raise RequestError(
            f"{count} folds make no cross-validation",
            where="--folds",
            do=f"2 to {MOST}; 5 is usual",
        )
    started = time.perf_counter()
    place = Workplace(home, "folds", folds_fingerprint(recipe, count))
    shelf = Shelf()
    with place.lock():
        ground = common_ground(recipe, place, say)
        place.agree({"data": ground.dataset.fingerprint, "base": ground.base.sha256})
        divided = folds(ground.dataset, recipe.data, recipe.task, count)
        reports, rows = [], []
        for number, dataset in enumerate(divided, 1):
            say(
                f"fold {number} of {count}: {len(dataset.train)} rows, {len(dataset.test)} measured"
            )
            own = ground.for_rows(recipe, dataset)
            reports.append(_measured(own, recipe, place, number, watch, say, shelf))
            rows.append((len(dataset.train), len(dataset.test)))
        found = over_folds(reports, rows)
        found["sealed_test"] = len(ground.dataset.test)
        found["file"] = str(place.folder / FOUND)
        place.note(FOUND, found)
    return found | {"seconds": round(time.perf_counter() - started, 3)}


def _measured(
    ground: Ground,
    recipe: Recipe,
    place: Workplace,
    number: int,
    watch: Watcher,
    say: Say,
    shelf: Shelf,
) -> Report:
    """The report of a fold: the one that is there, or a new one."""
    from afina.evaluate import Report
    from afina.store.workplace import drop_checkpoints

    part = place.part(f"fold-{number}")
    if (part.folder / REPORT).is_file():
        return Report.from_dict(part.read(REPORT))
    ready = as_planned(ground.prepare(recipe), part)
    training = try_out(ready, part, watch, shelf)
    resolved, dataset = ready.plan.recipe, ground.dataset
    tuned = Candidate(
        "tuned", lambda: as_asked(resolved, answering(training, dataset.validation)), say
    )
    by = f"fold {number}"
    asked = [tuned, *baselines(resolved, dataset, ground.base, say)]
    report = judged(asked, resolved, dataset, ground.base, by=by, part=part, say=say)
    part.write(REPORT, report.as_dict())
    drop_checkpoints(part)
    return report
