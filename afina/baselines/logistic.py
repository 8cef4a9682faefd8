"""Logistic regression whose strength is chosen by cross-validation on the training rows alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from afina.errors import DataError
from afina.tasks import Classify

FOLDS = 3
ROWS_TO_CHOOSE = 1500
"""Rows drawn for the cross-validation; all rows are used for the final fit."""
ITERATIONS = 1000
ALWAYS, NEVER = 60.0, -60.0
"""Scores of a label that every training row has, or none."""


@dataclass(frozen=True)
class Weights:
    """Scores are ``rows @ weight.T + bias``: one column for each label of the task."""

    weight: np.ndarray
    bias: np.ndarray
    converged: bool


@dataclass(frozen=True)
class Fit:
    """A fitted model: its scores (logits for ``Classify.from_scores``), and how it came about."""

    scores: Callable[[Any], np.ndarray]
    strength: float
    notes: tuple[str, ...] = field(default_factory=tuple)


def targets(task: Classify, labels: Sequence[Sequence[str]]) -> np.ndarray:
    """Which row has which label: bool [N, C]."""
    place = {label: i for i, label in enumerate(task.known_labels)}
    has = np.zeros((len(labels), len(place)), dtype=bool)
    for row, names in enumerate(labels):
        for name in names:
            has[row, place[name]] = True
    return has


def fit(
    rows: Any,
    has: np.ndarray,
    *,
    several: bool,
    strengths: Sequence[float],
    seed: int,
    sparse: bool,
) -> Fit:
    """Fit [N, D] rows to [N, C] labels. ``strengths``: values of C (large: weak regularisation).

    Sparse rows, and tasks of several labels, get one yes-or-no model a label; dense ones with one
    label get a single softmax. The smallest strength within one standard error of the best is
    taken. Raises DataError where the training rows hold one label only.
    """
    if (has.all(axis=0) | ~has.any(axis=0)).all():
        raise DataError(
            "all training rows have the same labels: nothing to tell apart",
            where="data.train",
            do="leave this baseline out, or add rows with other labels",
        )
    one_by_one = several or sparse
    worker = _one_vs_rest if one_by_one else _softmax
    strength, notes = _choose(worker, rows, has, several, strengths, seed)
    weights = worker(rows, has, strength, seed)
    if not weights.converged:
        notes.append(f"not converged after {ITERATIONS} iterations")

    def scores(new: Any) -> np.ndarray:
        values: np.ndarray = np.asarray(new @ weights.weight.T) + weights.bias
        # One yes-or-no model a label: their probabilities, brought to a sum of 1.
        if one_by_one and not several:
            values = -np.logaddexp(0.0, -values)
        return values

    return Fit(scores, strength, tuple(notes))


def _choose(
    worker: Callable[[Any, np.ndarray, float, int], Weights],
    rows: Any,
    has: np.ndarray,
    several: bool,
    strengths: Sequence[float],
    seed: int,
) -> tuple[float, list[str]]:
    """The strength, and what should be told about how it was chosen."""
    order = np.random.default_rng(seed).permutation(len(has))[:ROWS_TO_CHOOSE]
    # Each fold has its share of every label: else a fold that is short of one is full of it
    # outside, and strong regularisation looks worse than it is.
    kinds = np.unique(has[order], axis=0, return_inverse=True)[1].ravel()
    order = order[np.argsort(kinds, kind="stable")]
    folds = [order[i::FOLDS] for i in range(FOLDS) if len(order) > i]
    found: list[list[float]] = [[] for _ in strengths]
    for held in folds:
        rest = np.setdiff1d(order, held)
        seen = has[rest]
        if len(rest) == 0 or (seen.all(axis=0) | ~seen.any(axis=0)).all():
            continue
        for i, strength in enumerate(strengths):
            weights = worker(rows[rest], seen, strength, seed)
            values = np.asarray(rows[held] @ weights.weight.T) + weights.bias
            found[i].append(_share_right(values, has[held], several))
    middle = strengths[len(strengths) // 2]
    if not found[0]:
        return middle, [f"too few rows to choose the strength: C = {middle:g}"]
    means = np.array([np.mean(scores) for scores in found])
    best = float(means.max())
    error = np.sqrt(best * (1 - best) / len(order))
    chosen = strengths[int(np.argmax(means >= best - error))]
    return chosen, [f"C = {chosen:g} by {len(folds)}-fold cross-validation on {len(order)} rows"]


def _share_right(values: np.ndarray, has: np.ndarray, several: bool) -> float:
    """Accuracy; with several labels, micro-F1."""
    if not several:
        return float(has[np.arange(len(has)), values.argmax(axis=1)].mean())
    given = values >= 0
    total = given.sum() + has.sum()
    return float(2 * (given & has).sum() / total) if total else 1.0


def _one_vs_rest(rows: Any, has: np.ndarray, strength: float, seed: int) -> Weights:
    """A yes-or-no model for each label, by dual coordinate descent (Yu, Huang and Lin 2011)."""
    from sklearn.linear_model import LogisticRegression

    weight = np.zeros((has.shape[1], rows.shape[1]))
    bias = np.where(has.all(axis=0), ALWAYS, NEVER)
    converged = True
    for label in np.flatnonzero(has.any(axis=0) & ~has.all(axis=0)):
        model = LogisticRegression(
            C=strength,
            solver="liblinear",
            dual=True,
            tol=0.1,
            max_iter=ITERATIONS,
            random_state=seed,
        )
        converged &= _quietly(model, rows, has[:, label])
        weight[label], bias[label] = model.coef_[0], model.intercept_[0]
    return Weights(weight, bias, converged)


def _softmax(rows: Any, has: np.ndarray, strength: float, seed: int) -> Weights:
    """One softmax over all labels, by L-BFGS."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=strength, tol=1e-3, max_iter=ITERATIONS, random_state=seed)
    converged = _quietly(model, rows, has.argmax(axis=1))
    weight = np.zeros((has.shape[1], rows.shape[1]))
    bias = np.full(has.shape[1], NEVER)
    if len(model.classes_) == 2:  # two labels have one column: the second against the first
        weight[model.classes_[1]] = model.coef_[0]
        bias[model.classes_] = [0.0, model.intercept_[0]]
    else:
        weight[model.classes_] = model.coef_
        bias[model.classes_] = model.intercept_
    return Weights(weight, bias, converged)


def _quietly(model: Any, rows: Any, wanted: np.ndarray) -> bool:
    """Fit; returns whether it converged (which the caller tells instead of a warning)."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model.fit(rows, wanted)
    for warning in seen:
        if not issubclass(warning.category, ConvergenceWarning):
            warnings.warn_explicit(
                warning.message, warning.category, warning.filename, warning.lineno
            )
    return not any(issubclass(w.category, ConvergenceWarning) for w in seen)
