"""From what was measured to a decision: recommendation, money, notes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from afina.decide import costs
from afina.decide.bases import rank_bases
from afina.decide.curve import Curve, Point, draw_curve
from afina.decide.decision import Decision
from afina.decide.desk import Desk
from afina.decide.rows import Rows
from afina.decide.rule import Recommendation, Seen, recommend
from afina.decide.trial import Trial, options
from afina.decide.ways import Way
from afina.decide.words import Said
from afina.evaluate import Report, Scorer
from afina.evaluate.latency import Latency
from afina.evaluate.verdict import Judged
from afina.recipe import Recipe, fingerprint

if TYPE_CHECKING:
    from afina.retrieval import HitRate


def curve_of(desk: Desk, report: Report, trials: Sequence[Trial]) -> Curve | None:
    """The curve of the first method's trials, by rows."""
    if not trials:
        return None
    main = trials[0]
    own = [t for t in trials if t.name == main.name or t.name.startswith(f"{main.name} ")]
    points = []
    for trial in sorted(own, key=lambda t: t.rows):
        score = report.candidate(trial.name).scores.get(report.metric)
        if score is not None:
            points.append(Point(trial.rows, score.value, score.low, score.high))
    goal = desk.recipe.goal
    return draw_curve(
        desk.scorer,
        points,
        at_least=goal.at_least if goal else None,
        confidence=desk.recipe.evaluate.confidence,
        seed=desk.recipe.train.seed,
        still_falling=main.still_falling,
        overfits=main.overfits,
    )


def outcome(
    desk: Desk,
    report: Report,
    ways: Sequence[Way],
    trials: Sequence[Trial],
    failed: Sequence[Said],
    hits: HitRate | None,
    started: float,
) -> Decision:
    recipe, prices = desk.recipe, desk.recipe.decide
    shown = [way for way in ways if "%" not in way.name]
    kinds = {way.name: str(way.kind) for way in shown}
    running = {
        way.name: costs.running(way.kind, latency, report.costs[way.name], prices)
        for way in shown
        if (latency := Latency.of(report.costs.get(way.name, {}))) is not None
    }
    curve = curve_of(desk, report, trials)
    methods = [_at_measured_speed(one, trials) for one in options(desk.bench, desk.rows.train)]
    told = _recommended(desk, report, kinds, trials)
    money, even, notes = _money(desk, told, report, running, methods, trials, kinds)
    bases = rank_bases(recipe, desk.rows, desk.base, desk.machine, desk.scorer, desk.say)
    return Decision(
        fingerprint=fingerprint(recipe),
        recommendation=told,
        report=report,
        kinds=kinds,
        running=running,
        facts={way.name: way.facts for way in shown},
        rows=desk.rows.as_dict(),
        trials=tuple(trials),
        failed_trials=tuple(failed),
        curve=curve,
        methods=tuple(methods),
        bases=tuple(bases),
        hits=hits,
        break_even=even,
        costs=money,
        notes=(
            _locked(desk.rows),
            *_left_aside(recipe),
            *_said_of_hits(desk, hits),
            *_next(curve),
            *notes,
        ),
        assumptions=_assumptions(recipe),
        seconds=time.perf_counter() - started,
    )


def _recommended(
    desk: Desk, report: Report, kinds: dict[str, str], trials: Sequence[Trial]
) -> Recommendation:
    metric, recipe = report.metric, desk.recipe
    scores = {
        c.name: c.scores[metric]
        for c in report.candidates
        if c.name in kinds and metric in c.scores
    }
    tuned = report.tuned if kinds.get(report.tuned) == "tuned" else None
    own = [c for c in report.comparisons if kinds.get(c.baseline, "tuned") != "tuned"]
    judged = Judged.of(
        desk.scorer,
        report.tuned,
        scores,
        own,
        recipe.goal,
        rows=len(desk.rows.locked),
        confidence=recipe.evaluate.confidence,
        asked=len(own),
    )
    best = next((t for t in trials if t.name == tuned), None)
    falling = best is not None and best.still_falling
    changes = recipe.decide.changes
    return recommend(Seen(judged, kinds, tuned, changes, recipe.decide.steps, falling))


def _money(
    desk: Desk,
    told: Recommendation,
    report: Report,
    running: dict[str, costs.Running],
    methods: Sequence[dict[str, Any]],
    trials: Sequence[Trial],
    kinds: dict[str, str],
) -> tuple[dict[str, Any], costs.BreakEven | None, list[Said]]:
    """Labelling and training, the break-even of the best trial, and the sentences for it."""
    prices, rows = desk.recipe.decide, desk.rows
    labelled = len(rows.train) + len(rows.choice) + len(rows.locked) + rows.sealed
    hours = costs.labelling_hours(labelled, prices)
    labelling = hours * prices.label_hour_price
    money: dict[str, Any] = {"labelled_rows": labelled, "labelling_hours": hours,
                             "labelling_cost": labelling}  # fmt: skip
    trial = next((t for t in trials if t.name == report.tuned), None)
    whole = next((m for m in methods if trial and m["method"] == trial.method and m["fits"]), None)
    if trial is None or whole is None:
        return money, None, []
    seconds = whole["seconds"]
    training = costs.training_cost(seconds, prices)
    money |= {"method": trial.method, "training_seconds": seconds, "training_cost": training}
    notes = [Said("effort", {"rows": labelled, "hours": hours, "method": trial.method,
                             "seconds": seconds})]  # fmt: skip
    against = _rival(report, kinds, running, desk.scorer)
    if against is None or report.tuned not in running:
        return money, None, notes
    even = costs.break_even(against, running[against], running[report.tuned], training, labelling)
    code = "no_break_even" if even.requests is None else "break_even"
    values = {
        "against": against,
        "saved": even.saved_per_1000,
        "training": training,
        "labelling": labelling,
        "requests": even.requests,
        "all_requests": even.requests_with_labelling,
    }
    return money, even, [*notes, Said(code, values)]


def _at_measured_speed(method: dict[str, Any], trials: Sequence[Trial]) -> dict[str, Any]:
    """The plan reckons with the speed of matrix products; a trial says how far off that is."""
    if not method["fits"] or not trials:
        return method
    trial = next((t for t in trials if t.method == method["method"]), trials[0])
    share = trial.figures["seconds"] / max(trial.estimated_seconds, 1e-9)
    return method | {"seconds": method["seconds"] * share, "measured_speed_of": trial.name}


def _rival(
    report: Report, kinds: dict[str, str], running: dict[str, costs.Running], scorer: Scorer
) -> str | None:
    """The best way that asks a language model without training: what tuning would take over from."""
    asked = [
        c for c in report.candidates
        if kinds.get(c.name) in ("prompt", "documents") and c.name in running
        and report.metric in c.scores
    ]  # fmt: skip
    best = max(asked, key=lambda c: scorer.sign * c.scores[report.metric].value, default=None)
    return best.name if best else None


def _said_of_hits(desk: Desk, hits: HitRate | None) -> list[Said]:
    if desk.index is None:
        return []
    if hits is None:
        return [Said("hits_none")]
    k = 3 if 3 in hits.shares else max(hits.shares)
    return [Said(f"hits_{hits.by}", {"k": k, "share": hits.shares[k][0], "rows": hits.rows})]


def _next(curve: Curve | None) -> list[Said]:
    return [] if curve is None else [Said(curve.next, curve.values)]


def _locked(rows: Rows) -> Said:
    return Said(
        "locked",
        {"locked": len(rows.locked), "choice": len(rows.choice), "sealed": rows.sealed},
    )


def _left_aside(recipe: Recipe) -> tuple[Said, ...]:
    """What the recipe asks for and the short trials do without."""
    return (Said("not_augmented"),) if recipe.data.augment is not None else ()


def _assumptions(recipe: Recipe) -> tuple[Said, ...]:
    prices = recipe.decide
    found = [
        Said("assumed", {"hour": prices.hour_price, "label_seconds": prices.label_seconds,
                         "label_hour": prices.label_hour_price})
    ]  # fmt: skip
    if prices.prompt_price is not None:
        found.append(
            Said("assumed_hosted", {"prompt": prices.prompt_price, "answer": prices.answer_price})
        )
    return tuple(found)
