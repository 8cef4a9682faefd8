"""Ridge regression whose strength is chosen by cross-validation on the training rows alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

FOLDS = 3
ROWS_TO_CHOOSE = 1500
"""Rows drawn for the cross-validation; all rows are used for the final fit."""


def fit(
    rows: Any, numbers: np.ndarray, *, penalties: Sequence[float], seed: int
) -> tuple[Callable[[Any], np.ndarray], str]:
    """Fit [N, D] rows (dense or sparse) to [N] numbers; the model, and how it was chosen.

    The largest penalty within one standard error of the least squared error is taken.
    """
    order = np.random.default_rng(seed).permutation(len(numbers))[:ROWS_TO_CHOOSE]
    folds = [order[i::FOLDS] for i in range(FOLDS)] if len(order) >= 2 * FOLDS else []
    if not folds:
        middle = penalties[len(penalties) // 2]
        return _ridge(rows, numbers, middle), f"too few rows to choose the penalty: {middle:g}"
    errors = np.array(
        [
            np.concatenate([_errors(rows, numbers, penalty, held, order) for held in folds])
            for penalty in penalties
        ]
    )
    means = errors.mean(axis=1)
    best = int(means.argmin())
    around = errors[best].std() / np.sqrt(errors.shape[1])
    chosen = max(p for p, m in zip(penalties, means, strict=True) if m <= means[best] + around)
    told = f"penalty {chosen:g} by {FOLDS}-fold cross-validation on {len(order)} rows"
    return _ridge(rows, numbers, chosen), told


def _errors(
    rows: Any, numbers: np.ndarray, penalty: float, held: np.ndarray, order: np.ndarray
) -> np.ndarray:
    rest = np.setdiff1d(order, held)
    found: np.ndarray = (
        _ridge(rows[rest], numbers[rest], penalty)(rows[held]) - numbers[held]
    ) ** 2
    return found


def _ridge(rows: Any, numbers: np.ndarray, penalty: float) -> Callable[[Any], np.ndarray]:
    from sklearn.linear_model import Ridge

    solver = "auto" if isinstance(rows, np.ndarray) else "sparse_cg"
    model = Ridge(alpha=penalty, solver=solver).fit(rows, numbers)
    return lambda new: np.asarray(model.predict(new), np.float64)
