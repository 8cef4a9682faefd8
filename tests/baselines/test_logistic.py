"""The strength comes from the training rows; what is not known is said."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from afina.baselines.logistic import NEVER, fit


def clouds(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    which = np.arange(rows) % labels
    middles = np.random.default_rng(0).normal(size=(labels, 8)) * 2
    has = np.zeros((rows, labels), dtype=bool)
    has[np.arange(rows), which] = True
    return middles[which] + random.normal(size=(rows, 8)), has


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("sparse", [True, False])
def test_clouds_are_told_apart(labels: int, sparse: bool) -> None:
    rows, has = clouds(200, labels, 1)
    new, wanted = clouds(100, labels, 2)
    made = fit(
        csr_matrix(rows) if sparse else rows,
        has,
        several=False,
        strengths=(0.01, 0.1, 1.0),
        seed=3,
        sparse=sparse,
    )
    scores = made.scores(csr_matrix(new) if sparse else new)
    assert scores.shape == (100, labels)
    assert (scores.argmax(1) == wanted.argmax(1)).mean() > 0.9
    assert made.strength in (0.01, 0.1, 1.0)
    assert "cross-validation" in made.notes[0]


def test_softmax_scores_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    rows, has = clouds(90, 3, 1)
    made = fit(rows, has, several=False, strengths=(0.5,), seed=3, sparse=False)
    theirs = LogisticRegression(C=0.5, tol=1e-3).fit(rows, has.argmax(1)).decision_function(rows)
    np.testing.assert_allclose(made.scores(rows), theirs, atol=1e-6)


def test_noise_is_regularised_more_than_signal() -> None:
    random = np.random.default_rng(0)
    has = np.zeros((120, 2), dtype=bool)
    has[np.arange(120), np.arange(120) % 2] = True
    noise = random.normal(size=(120, 40))
    clear = noise.copy()
    clear[:, 0] += 3 * np.where(has[:, 1], 1, -1)
    strengths = (1e-4, 1e-2, 1.0, 100.0)
    rules = {"several": False, "strengths": strengths, "seed": 1, "sparse": False}
    assert fit(noise, has, **rules).strength == strengths[0]
    signal = fit(clear, has, **rules)
    assert (signal.scores(clear).argmax(1) == has.argmax(1)).mean() > 0.97


def test_too_few_rows_to_choose_is_said() -> None:
    rows, has = clouds(2, 2, 1)
    made = fit(rows, has, several=False, strengths=(0.1, 1.0, 10.0), seed=1, sparse=False)
    assert made.strength == 1.0
    assert "too few rows" in made.notes[0]


def test_a_label_that_no_row_has_is_never_given() -> None:
    rows, has = clouds(60, 2, 1)
    wider = np.concatenate([has, np.zeros((60, 1), dtype=bool)], axis=1)
    for several in (True, False):
        made = fit(rows, wider, several=several, strengths=(1.0,), seed=1, sparse=False)
        assert (made.scores(rows)[:, 2] == NEVER).all()


def test_no_convergence_is_a_note_and_not_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("afina.baselines.logistic.ITERATIONS", 1)
    rows, has = clouds(60, 3, 1)
    made = fit(rows, has, several=False, strengths=(1.0,), seed=1, sparse=False)
    assert any("not converged" in note for note in made.notes)
