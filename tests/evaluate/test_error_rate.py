"""How often the verdict errs, and how often it sees what is there: simulated scores, no models.

Each case is 200 tests of one size, one kind of score and one number of baselines. The tuned model is
as good as the best baseline, the others are worse: the worst case for a rule that asks for a win
against all of them, since only the best one holds it back.
"""

from __future__ import annotations

from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest

from afina.evaluate.intervals import interval, resample, total
from afina.evaluate.paired import compare
from afina.evaluate.report import Score
from afina.evaluate.scorer import Array, Scorer
from afina.evaluate.scorers import SCORERS
from afina.evaluate.verdict import Judged, decide
from afina.recipe import Goal

TRIALS = 200
RESAMPLES = 200
CLASSES = 3


def verdict(scorer: Scorer, candidates: list[Array], seed: int, margin: float = 0.0) -> str:
    """The verdict on matrices of statistics [N, k]: the first is the tuned model's."""
    from scipy.sparse import csr_array

    matrices = [csr_array(m) for m in candidates]
    rows = len(candidates[0])
    draws = resample(matrices, RESAMPLES, seed)
    names = ["tuned", *(f"b{i}" for i in range(1, len(matrices)))]
    scores = {}
    for name, matrix, drawn in zip(names, matrices, draws, strict=True):
        found = interval(scorer, total(matrix), drawn, rows, 0.95)
        scores[name] = Score(float(scorer.score(total(matrix))), found.low, found.high)
    comparisons = [
        compare(
            scorer,
            name,
            (matrices[0], draws[0]),
            (matrices[i], draws[i]),
            confidence=0.95,
            family=len(names) - 1,
            seed=seed,
        )
        for i, name in enumerate(names)
        if i
    ]
    judged = Judged.of(
        scorer,
        "tuned",
        scores,
        comparisons,
        Goal(metric=scorer.name, margin=margin),
        rows=rows,
        confidence=0.95,
        asked=len(comparisons),
    )
    return decide(judged)[0]


def rows_of(
    kind: str, rows: int, quality: float, hard: Array, random: np.random.Generator
) -> Array:
    """Statistics of a candidate. ``hard`` [N]: how hard each row is for everybody, so that
    candidates go up and down together as real ones do. ``quality`` 0: as the tuned model."""
    one = np.ones(rows)
    if kind == "accuracy":
        right = random.random(rows) < np.clip(0.95 - 0.5 * hard + quality, 0, 1)
        return np.stack([right.astype(float), one], 1)
    if kind == "rouge_l":
        value = np.clip(0.7 - 0.4 * hard + quality + random.normal(0, 0.15, rows), 0, 1)
        return np.stack([value, one], 1)
    if kind == "mae":  # skewed: a few large errors
        return np.stack([(hard + 0.2) * random.lognormal(-quality, 0.8, rows), one], 1)
    gold = np.arange(rows) % CLASSES
    right = random.random(rows) < np.clip(0.95 - 0.5 * hard + quality, 0, 1)
    given = np.where(right, gold, (gold + random.integers(1, CLASSES, rows)) % CLASSES)
    counts = np.zeros((rows, 3 * CLASSES))
    each = np.arange(rows)
    counts[each[right], gold[right]] = 1
    counts[each[~right], CLASSES + given[~right]] = 1
    counts[each[~right], 2 * CLASSES + gold[~right]] = 1
    return counts


CASES = [
    ("accuracy", 25, 1),
    ("accuracy", 100, 5),
    ("accuracy", 400, 1),
    ("macro_f1", 60, 1),
    ("macro_f1", 120, 3),
    ("rouge_l", 40, 1),
    ("rouge_l", 150, 4),
    ("mae", 30, 1),
    ("mae", 100, 3),
]


@pytest.mark.parametrize(("kind", "rows", "baselines"), CASES)
def test_where_nothing_is_gained_at_most_one_in_twenty_ships(
    kind: str, rows: int, baselines: int
) -> None:
    random = np.random.default_rng([rows, baselines, len(kind)])
    found: Counter[str] = Counter()
    for trial in range(TRIALS):
        hard = random.random(rows)
        worse = [0.0] * min(1, baselines) + [-0.25] * (baselines - 1)
        candidates = [rows_of(kind, rows, q, hard, random) for q in (0.0, *worse)]
        found[verdict(SCORERS[kind], candidates, trial)] += 1
    assert found["ship"] <= TRIALS // 20
    assert found["hold"] <= TRIALS // 20


def test_looking_at_many_equal_baselines_ships_no_more_often() -> None:
    random = np.random.default_rng(5)
    found: Counter[str] = Counter()
    for trial in range(TRIALS):
        hard = random.random(80)
        candidates = [rows_of("accuracy", 80, 0.0, hard, random) for _ in range(7)]
        found[verdict(SCORERS["accuracy"], candidates, trial)] += 1
    assert found["ship"] <= TRIALS // 20
    assert found["hold"] <= TRIALS // 20


@pytest.mark.parametrize(("gained", "lost", "rows"), [(0.15, 0.05, 200), (0.2, 0.1, 150)])
def test_a_real_gain_of_hits_ships_about_as_often_as_theory_says(
    gained: float, lost: float, rows: int
) -> None:
    """Power of McNemar's test (Connor 1987): Φ((√n·δ - z·√ψ) / √(ψ - δ²)). The exact test that the
    rule asks for is a little weaker."""
    difference, apart = gained - lost, gained + lost
    z = NormalDist().inv_cdf(0.975)
    power = NormalDist().cdf(
        (rows**0.5 * difference - z * apart**0.5) / (apart - difference**2) ** 0.5
    )
    random = np.random.default_rng(rows)
    shipped = 0
    for trial in range(TRIALS):
        kind = random.random(rows)
        tuned, other = kind < gained + 0.6, (kind > gained) & (kind < gained + 0.6 + lost)
        pair = [np.stack([hit.astype(float), np.ones(rows)], 1) for hit in (tuned, other)]
        shipped += verdict(SCORERS["accuracy"], pair, trial) == "ship"
    assert power - 0.12 <= shipped / TRIALS <= power + 0.07


@pytest.mark.parametrize(("effect", "rows", "baselines"), [(0.3, 100, 1), (0.5, 40, 1)])
def test_a_real_gain_of_means_ships_about_as_often_as_theory_says(
    effect: float, rows: int, baselines: int
) -> None:
    """Power of a paired test of means with an effect in deviations of the difference."""
    power = NormalDist().cdf(rows**0.5 * effect - NormalDist().inv_cdf(0.975))
    random = np.random.default_rng(rows)
    shipped = 0
    for trial in range(TRIALS):
        base = random.uniform(0.3, 0.6, rows)
        better = base + 0.1 * (effect + random.normal(0, 1, rows))
        pair = [np.stack([value, np.ones(rows)], 1) for value in (better, base)]
        shipped += verdict(SCORERS["rouge_l"], pair, trial) == "ship"
    assert power - 0.1 <= shipped / TRIALS <= power + 0.07


@pytest.mark.parametrize(("rows", "least"), [(12, 0.9), (30, 0.7)])
def test_a_test_too_small_to_tell_is_unproven(rows: int, least: float) -> None:
    """A gain of five points in a hundred on a dozen rows: neither shown nor ruled out."""
    random = np.random.default_rng(rows)
    found: Counter[str] = Counter()
    for trial in range(TRIALS):
        hard = random.random(rows)
        pair = [rows_of("accuracy", rows, q, hard, random) for q in (0.05, 0.0)]
        found[verdict(SCORERS["accuracy"], pair, trial)] += 1
    assert found["unproven"] / TRIALS >= least


@pytest.mark.parametrize("kind", ["accuracy", "rouge_l", "mae"])
def test_a_worse_model_is_held_or_unproven_and_never_shipped(kind: str) -> None:
    random = np.random.default_rng(9)
    found: Counter[str] = Counter()
    for trial in range(TRIALS):
        hard = random.random(150)
        pair = [rows_of(kind, 150, q, hard, random) for q in (-0.2, 0.0)]
        found[verdict(SCORERS[kind], pair, trial)] += 1
    assert found["ship"] == 0
    assert found["hold"] / TRIALS >= (0.25 if kind == "mae" else 0.9)
