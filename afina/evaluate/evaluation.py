"""The evaluation: every candidate answers the sealed test, every answer is scored the same way.

Does not know who answers nor how it was trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from afina.errors import DataError, ModelError, RequestError
from afina.evaluate import notes as remarks
from afina.evaluate.asking import Further, Measured, Say, measure
from afina.evaluate.expectations import Expectations
from afina.evaluate.finding import Material, Rate
from afina.evaluate.findings import further_questions, look
from afina.evaluate.intervals import interval, resample, total
from afina.evaluate.labels import class_counting, confusion, per_class
from afina.evaluate.latency import wanted
from afina.evaluate.numbers import points
from afina.evaluate.paired import Comparison, compare
from afina.evaluate.preference import REFERENCE, preference_rows
from afina.evaluate.probe import Pair, Probed, ask_pairs
from afina.evaluate.report import CandidateResult, Report, Score
from afina.evaluate.samples import draw
from afina.evaluate.scorer import Array, Context, Counting, Scorer, statistics
from afina.evaluate.scorers import check_rows, choose
from afina.evaluate.spans import span_counting
from afina.evaluate.statement import Statement
from afina.evaluate.thresholds import compared
from afina.evaluate.verdict import Judged, decide, rule_of
from afina.evaluate.versus import keep
from afina.recipe import Evaluate, Goal
from afina.types import Answer, Example, Predictor, Task

Statistics = Mapping[tuple[str, str], tuple[Any, Array]]
"""By candidate and scorer: the matrix of statistics [N, k] and its resampled sums [R, k]."""


def evaluate(
    candidates: Sequence[Predictor],
    test: Sequence[Example],
    *,
    task: Task,
    tuned: str,
    goal: Goal | None,
    settings: Evaluate,
    seed: int,
    test_sha256: str = "",
    left_out: int = 0,
    expectations: Expectations | None = None,
    changed: Sequence[Statement] = (),
    probed: Sequence[Pair] = (),
    thresholds: Sequence[Mapping[str, Any]] = (),
    rate: Rate | None = None,
    say: Say = lambda _: None,
) -> Report:
    """Measure all candidates on the test and judge the one named ``tuned`` against the others.

    ``task``: resolved. ``expectations``: what the tuned model must meet to ship. ``left_out``: sealed
    rows too long for ``test``. ``changed``: how the rule differs from the one stated. ``probed``: both
    models and what they are asked. ``thresholds``: how they were chosen. ``rate``: the reward learned
    by. A baseline's AfinaError stands in the report, the tuned model's is raised. DataError: an empty
    test; ModelError: a wrong number of answers; RecipeError: a scorer that does not fit.
    """
    _check(candidates, test, tuned)
    scorers, golds = _checked(test, task, choose(task, settings.scorers, goal))
    further = further_questions(settings, task, test, seed)
    measured = _asked(candidates, test, task, tuned, scorers, settings, expectations, further, say)
    tested = expectations.compared(measured, tuned) if expectations else {}
    figures = _statistics(measured, scorers, test, golds, task, settings.resamples, seed)
    results = tuple(_result(m, scorers, figures, settings.confidence) for m in measured)
    judged = _judged(results, scorers[0], figures, tuned, goal, settings, seed, len(test))
    classes, confusions = _by_class(measured, task, test, golds)
    samples, samples_rule = draw(measured, test, golds, task, tuned, settings.samples, seed)
    costs = {m.name: m.costs for m in measured if m.failure is None}
    about = (test, golds, task, measured, tuned, scorers[0], figures, settings, seed, further, rate)
    material = Material(*about)
    weighed = compared(task, golds, material.own.answers, thresholds)
    return _report(
        judged,
        (goal, settings, ask_pairs(probed, goal, settings, seed)),
        seed=seed,
        test={"rows": len(test), "sha256": test_sha256},
        scorers={s.name: s.facts() for s in scorers},
        candidates=results,
        costs=costs,
        per_class=classes,
        confusion=confusions,
        points=_points(measured, task, golds, seed),
        expectations=tested,
        samples=samples,
        samples_rule=samples_rule,
        findings=look(material),
        rule_changes=tuple(changed),
        kept=keep(material.by_scorer, test, task, test_sha256),
        thresholds=weighed,
        notes=remarks.collect(judged, results, costs, classes, measured, left_out, tested, weighed),
    )


def _asked(
    candidates: Sequence[Predictor],
    test: Sequence[Example],
    task: Task,
    tuned: str,
    scorers: Sequence[Scorer],
    settings: Evaluate,
    expectations: Expectations | None,
    further: Sequence[Further],
    say: Say,
) -> list[Measured]:
    return [
        measure(
            candidate,
            test,
            task,
            batch_size=settings.batch_size,
            sources=frozenset(s.source for s in scorers),
            required=candidate.name == tuned,
            say=say,
            expected=expectations.questions if expectations else (),
            further=further if candidate.name == tuned else (),
            latency_rows=wanted(settings.latency_rows, len(test)),
        )
        for candidate in candidates
    ]


def _report(
    judged: Judged,
    by: tuple[Goal | None, Evaluate, Probed],
    notes: Sequence[Statement],
    **parts: Any,
) -> Report:
    """The report: the verdict with its reasons, and the parts that are given."""
    goal, settings, probed = by
    verdict, reasons = decide(judged, parts["expectations"], probed.lost)
    target = {"at_least": judged.at_least, "margin": judged.margin}
    alarms = [found.statements[0] for found in parts["findings"] if found.alarm]
    return Report(
        metric=judged.scorer.name,
        verdict=verdict,
        reasons=reasons,
        rule=rule_of(judged.scorer, goal, settings.confidence, bool(judged.asked)),
        goal={"metric": judged.scorer.name, **target},
        tuned=judged.tuned,
        confidence=settings.confidence,
        resamples=settings.resamples,
        comparison=judged.hardest,
        comparisons=tuple(judged.comparisons),
        probe=probed.part,
        notes=(*notes, *probed.notes, *alarms),
        **parts,
    )


def _checked(
    test: Sequence[Example], task: Task, scorers: tuple[Scorer, ...]
) -> tuple[tuple[Scorer, ...], list[Answer]]:
    """The scorers and the right answers, which are scored against themselves before a model spends
    minutes on questions.

    Raises DataError naming the row whose right answer a scorer cannot read.
    """
    golds = [task.gold(example) for example in test]
    for scorer in scorers:
        if scorer.source == "answers":
            _counted(scorer.counting(Context.of(task)), test, golds, golds)
    check_rows(scorers, test)
    return scorers, golds


def _check(candidates: Sequence[Predictor], test: Sequence[Example], tuned: str) -> None:
    if not test:
        raise DataError(
            "the test has no rows, so nothing can be measured",
            where="data.test",
            do="give a test file, or a share above 0 in data.split.test",
        )
    names = [candidate.name for candidate in candidates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(
            f"two candidates are called {twice[0]}",
            where="evaluate.baselines",
            do="name each baseline once",
        )
    if tuned not in names:
        raise RequestError(f"no candidate is called {tuned}", where="evaluate")


# ---------------------------------------------------------------------------- counting


def _statistics(
    measured: Sequence[Measured],
    scorers: Sequence[Scorer],
    test: Sequence[Example],
    golds: Sequence[Answer],
    task: Task,
    resamples: int,
    seed: int,
) -> Statistics:
    """Matrices of statistics, counted once for scorers that share them, and their resamples."""
    context = Context.of(task)
    reference = next((m.preferences for m in measured if m.name == REFERENCE), None)
    matrices: dict[tuple[str, Any], Any] = {}
    for found in measured:
        if found.failure is not None:
            continue
        for scorer in scorers:
            key = (found.name, scorer.counting)
            if key in matrices:
                continue
            if scorer.source == "likelihood":
                if found.likelihoods is not None:
                    rows = [{0: nats, 1: float(tokens)} for nats, tokens in found.likelihoods]
                    matrices[key] = statistics(rows, 2)
            elif scorer.source in ("preference", "gain"):
                if found.preferences is not None:
                    pairs = preference_rows(scorer, test, found.preferences, reference)
                    if pairs is not None:
                        matrices[key] = statistics(pairs, 2)
            else:
                matrices[key] = _counted(scorer.counting(context), test, golds, found.answers)
    sums = resample(list(matrices.values()), resamples, seed) if matrices else []
    drawn = dict(zip(matrices, sums, strict=True))
    return {
        (m.name, s.name): (matrices[m.name, s.counting], drawn[m.name, s.counting])
        for m in measured
        for s in scorers
        if (m.name, s.counting) in matrices
    }


def _counted(
    counting: Counting,
    test: Sequence[Example],
    golds: Sequence[Answer],
    answers: Sequence[Answer],
) -> Any:
    return statistics(counting.rows(test, golds, answers), counting.width)


def _result(
    found: Measured,
    scorers: Sequence[Scorer],
    figures: Statistics,
    confidence: float,
) -> CandidateResult:
    if found.failure is not None:
        return CandidateResult(found.name, failure=found.failure)
    scores: dict[str, Score] = {}
    missing: dict[str, str] = {}
    for scorer in scorers:
        figure = figures.get((found.name, scorer.name))
        if figure is None:
            missing[scorer.name] = (found.no_likelihood or remarks.NO_REFERENCE).say("en")
            continue
        sums, rows = total(figure[0]), int(scorer.counted(figure[0]).sum())
        if not rows:
            missing[scorer.name] = Statement("no_row_counts").say("en")
            continue
        around = interval(scorer, sums, figure[1], rows, confidence)
        value = float(scorer.score(sums))
        scores[scorer.name] = Score(value, around.low, around.high, around.method)
    return CandidateResult(found.name, scores, missing)


def _judged(
    results: Sequence[CandidateResult],
    scorer: Scorer,
    figures: Statistics,
    tuned: str,
    goal: Goal | None,
    settings: Evaluate,
    seed: int,
    rows: int,
) -> Judged:
    scores = {r.name: r.scores[scorer.name] for r in results if scorer.name in r.scores}
    if tuned not in scores:
        why = next(r.missing.get(scorer.name, "") for r in results if r.name == tuned)
        raise ModelError(
            f"{tuned} has no {scorer.name}: {why}", where="goal.metric", do="judge another score"
        )
    others = [name for name in scores if name != tuned]
    comparisons: list[Comparison] = [
        compare(
            scorer,
            name,
            figures[tuned, scorer.name],
            figures[name, scorer.name],
            confidence=settings.confidence,
            family=len(others),
            seed=seed,
        )
        for name in others
    ]
    return Judged.of(
        scorer,
        tuned,
        scores,
        comparisons,
        goal,
        rows=rows,
        confidence=settings.confidence,
        asked=len(results) - 1,
    )


def _points(
    measured: Sequence[Measured], task: Task, golds: Sequence[Answer], seed: int
) -> dict[str, Any]:
    """Right and given numbers, by candidate; empty for tasks without numbers."""
    if Context.of(task).scale is None:
        return {}
    return {m.name: points(golds, m.answers, seed) for m in measured if m.failure is None}


def _by_class(
    measured: Sequence[Measured],
    task: Task,
    test: Sequence[Example],
    golds: Sequence[Answer],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Per class and confusion, by candidate; empty for tasks without labels."""
    context = Context.of(task)
    names = context.labels or context.types
    if not names:
        return {}, {}
    counting = class_counting(context) if context.labels else span_counting(context)
    classes: dict[str, Any] = {}
    confusions: dict[str, Any] = {}
    for found in measured:
        if found.failure is None:
            sums = total(_counted(counting, test, golds, found.answers))
            classes[found.name] = per_class(names, sums)
            if context.labels and not context.several:
                confusions[found.name] = confusion(context.labels, golds, found.answers)
    return classes, confusions
