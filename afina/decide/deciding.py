"""The order of a decision: rows, trials, one measurement of all ways, the recommendation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from afina.decide.bases import rank_bases
from afina.decide.curve import Curve
from afina.decide.decision import Decision
from afina.decide.desk import Desk
from afina.decide.documents import measure_hits
from afina.decide.outcome import curve_of, outcome
from afina.decide.trying import make_trials, tuned_ways
from afina.decide.ways import Replayed, Say, Way, names_of, untrained
from afina.errors import Interrupted, RecipeError
from afina.evaluate import Report
from afina.recipe import Recipe
from afina.retrieval import HitRate
from afina.store.decisions import write_decision


def decide(recipe: Recipe, home: Path, *, say: Say = lambda _: None) -> Decision:
    """Measure every way on the same locked rows and recommend one. Writes nothing that stays.

    Raises RecipeError without a stated target, DataError for too few rows, and what data, base and
    machine raise. A way or a trial that cannot be measured is told with its reason.
    """
    started = time.perf_counter()
    desk = Desk.of(recipe, home, say)
    names = names_of(recipe, desk.rows.task, desk.base)
    try:
        hits = hits_of(desk)
        trials, failed = make_trials(desk)
        ways = untrained(recipe, desk.rows, desk.base, names, say)
        report, ways = measure(desk, [*ways, *tuned_ways(desk, trials)])
    except Interrupted:
        raise _stopped() from None
    finally:
        desk.sweep_up()
    return outcome(desk, report, ways, trials, failed, hits, started)


def learning_curve(recipe: Recipe, home: Path, *, say: Say = lambda _: None) -> Curve:
    """The learning curve alone, on the same locked rows. Raises as ``decide`` does."""
    desk = Desk.of(recipe, home, say)
    try:
        trials, failed = make_trials(desk, curve_only=True)
        if not trials:
            raise RecipeError(
                f"no trial could be made: {failed[0].values['what'] if failed else 'no rows'}",
                where="decide.methods",
                do="afina plan says what a run needs",
            )
        report, _ = measure(desk, tuned_ways(desk, trials))
    except Interrupted:
        raise _stopped() from None
    finally:
        desk.sweep_up()
    curve = curve_of(desk, report, trials)
    assert curve is not None
    return curve


def ranked_bases(
    recipe: Recipe, home: Path, *, say: Say = lambda _: None
) -> dict[str, list[dict[str, Any]]]:
    """The ranking of the bases at hand alone. Raises as ``decide`` does."""
    desk = Desk.of(recipe, home, say)
    found = rank_bases(recipe, desk.rows, desk.base, desk.machine, desk.scorer, say)
    return {"bases": [base.as_dict() for base in found]}


def hits_of(desk: Desk) -> HitRate | None:
    """How often the documents hold what answers a locked row; None without documents."""
    if desk.index is None:
        return None
    return measure_hits(desk.recipe, desk.rows.task, desk.rows.locked, desk.index)


def keep(decision: dict[str, Any], home: Path) -> Path:
    """Write decision.json into the home. Returns its path."""
    return write_decision(home, decision["fingerprint"], decision)


def _stopped() -> Interrupted:
    return Interrupted(
        "stopped; what was tried so far is not kept", where="afina decide", do="start it again"
    )


def measure(desk: Desk, ways: Sequence[Way]) -> tuple[Report, list[Way]]:
    """Every way on the locked rows, by the same score; the best trial is set against the others."""
    report = _evaluated(desk, ways, _first_tuned(ways), desk.recipe.decide.latency_rows)
    good = [way for way in ways if report.candidate(way.name).failure is None]
    tuned = [way.name for way in good if way.kind == "tuned" and "%" not in way.name]
    if tuned:
        metric, sign = report.metric, desk.scorer.sign
        best = max(tuned, key=lambda n: sign * report.candidate(n).scores[metric].value)
        others = [w for w in good if w.kind != "tuned" or w.name == best]
        if desk.scorer.source == "answers" and len(others) > 1:
            replayed = [Replayed(way.name, way.answers) for way in others]
            again = _evaluated(desk, replayed, best, 0, lambda _: None)
            report = replace(report, tuned=best, comparisons=again.comparisons)
    return report, list(ways)


def _first_tuned(ways: Sequence[Way]) -> str:
    """The candidate that has to be measured for the evaluation to be one."""
    tuned = [way.name for way in ways if way.kind == "tuned"]
    return tuned[0] if tuned else ways[0].name


def _evaluated(
    desk: Desk, candidates: Sequence[Any], tuned: str, latency_rows: int, say: Say | None = None
) -> Report:
    """The report on the locked rows; what is asked beside them is for the evaluation of a run."""
    from afina.evaluate import evaluate

    recipe = desk.recipe
    wished = recipe.evaluate.scorers
    settings = recipe.evaluate.model_copy(
        update={
            "scorers": wished if wished is not None else (desk.scorer.name,),
            "samples": 0,
            "latency_rows": latency_rows,
            "robustness": None,
            "bias": None,
        }
    )
    return evaluate(
        candidates,
        desk.rows.locked,
        task=desk.rows.asked,
        tuned=tuned,
        goal=recipe.goal,
        settings=settings,
        seed=recipe.train.seed,
        test_sha256=desk.rows.sha256,
        say=say or desk.say,
    )
