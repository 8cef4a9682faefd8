"""Labels that are probably wrong, by confident learning (Northcutt, Jiang & Chuang 2021).

Each row is answered by a model that has not seen it (out of fold). A class's threshold is the mean
probability of the class over the rows that carry its label; a row is confidently of the class whose
probability passes its threshold (the largest of those). Rows that are confidently of another class
than their own are counted into the joint of given and true labels, which says how many errors of
each kind there are; that many rows of the kind, with the largest margin between the other class and
their own, are reported. All rows are ranked by that margin.

The model here is log-linear on tf-idf (multinomial naive Bayes: one pass over the rows, so a hundred
thousand take seconds); whoever has better vectors gives them. Knows no tokens, no models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from afina.data.content import digest
from afina.data.findings import Finding, Placed, Section
from afina.types import LabelledExample

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
FOLDS = 5
FEW_OF_A_CLASS = 3
"""Rows that a class must have: with fewer, no fold can learn it from others."""
SMOOTHING = 0.1
"""Weight of a word that was never seen with a class (Lidstone)."""
MOST_ROWS = 100_000
"""Rows that are looked at; of more, so many are drawn by their content, and that is said."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows from the most to the least suspect, and how many of the first are reported."""

    order: Ints
    margin: Floats
    """For each row: probability of the likeliest other class less that of its own."""
    other: Ints
    """For each row: that other class."""
    errors: Ints
    """The rows that are reported, most suspect first."""


def rank(labels: Ints, probabilities: Floats) -> Ranked:
    """Confident learning. ``labels`` int [rows]; ``probabilities`` [rows, classes], out of fold."""
    rows, classes = probabilities.shape
    own = probabilities[np.arange(rows), labels]
    others = probabilities.copy()
    others[np.arange(rows), labels] = -np.inf
    other = others.argmax(axis=1)
    margin = others[np.arange(rows), other] - own
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=own, minlength=classes)
    thresholds = np.where(counts > 0, sums / np.maximum(counts, 1), np.inf)
    passed = np.where(probabilities >= thresholds, probabilities, -np.inf)
    sure = np.isfinite(passed.max(axis=1))
    true = passed.argmax(axis=1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[sure], true[sure]), 1)
    # Each row of the joint is brought to the number of rows with that label.
    known = joint.sum(axis=1, keepdims=True)
    joint = np.where(known > 0, joint / np.maximum(known, 1) * counts[:, None], 0)
    errors: list[int] = []
    for given in range(classes):
        for there in np.flatnonzero(joint[given]):
            if there == given:
                continue
            candidates = np.flatnonzero((labels == given) & sure & (true == there))
            by_margin = probabilities[candidates, given] - probabilities[candidates, there]
            most = int(joint[given, there] + 0.5)
            errors += candidates[np.argsort(by_margin, kind="stable")][:most].tolist()
    order = np.argsort(-margin, kind="stable")
    found = np.array(errors, dtype=np.int64)
    return Ranked(order, margin, other, found[np.argsort(-margin[found], kind="stable")])


def out_of_fold(labels: Ints, features: Any, folds: Ints) -> Floats:
    """Probabilities [rows, classes] of a linear model that has not seen the row.

    ``features`` [rows, n]: sparse counts or weights for naive Bayes, dense vectors for a logistic
    regression; ``folds``: the fold of each row. A class that the other folds do not hold has
    probability 0.
    """
    from scipy.sparse import issparse
    from sklearn.linear_model import LogisticRegression
    from sklearn.naive_bayes import MultinomialNB

    classes = int(labels.max()) + 1
    found = np.zeros((len(labels), classes))
    for fold in np.unique(folds):
        learned, asked = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        model: Any = LogisticRegression(max_iter=1000)
        if issparse(features):
            model = MultinomialNB(alpha=SMOOTHING)
        model.fit(features[learned], labels[learned])
        found[np.ix_(asked, model.classes_)] = model.predict_proba(features[asked])
    return found


def folds_of(labels: Ints, names: Sequence[str], folds: int = FOLDS) -> Ints:
    """A fold for each row, every class dealt evenly, by the ids of the rows and not their order."""
    fold = np.zeros(len(labels), dtype=np.int64)
    keys = [digest(f"fold {name}") for name in names]
    for label in np.unique(labels):
        members = sorted(np.flatnonzero(labels == label).tolist(), key=lambda i: keys[i])
        fold[members] = (np.arange(len(members)) + int(label)) % folds
    return fold


def vectors(texts: Sequence[str]) -> Any:
    """Tf-idf of words and pairs of words [rows, n], sparse."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(
        ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"
    )
    return made.fit_transform(texts)


@dataclass(frozen=True, slots=True)
class Looked:
    """The rows that were looked at, in the order of ``ranked``, and their labels."""

    rows: Sequence[Placed]
    of: int
    names: Sequence[str]
    ranked: Ranked


def look(rows: Sequence[Placed], features: Any = None) -> Looked | None:
    """Rank the rows with one label each; None where there is nothing to tell apart.

    ``features`` [rows, n] in place of tf-idf, for instance embeddings of the same rows.
    """
    chosen = _enough(rows, [i for i, row in enumerate(rows) if one_label(row) is not None])
    looked_at = len(chosen)
    if len(chosen) > MOST_ROWS:
        chosen = sorted(chosen, key=lambda i: digest(f"labels {rows[i].example.id}"))[:MOST_ROWS]
        chosen = _enough(rows, sorted(chosen))
    given = [str(one_label(rows[i])) for i in chosen]
    names = sorted(set(given))
    if len(names) < 2:
        return None
    number = {name: n for n, name in enumerate(names)}
    labels = np.array([number[label] for label in given])
    texts = [rows[i].example.text for i in chosen]  # type: ignore[attr-defined]
    try:
        table = vectors(texts) if features is None else features[chosen]
    except ValueError:  # no word occurs twice
        return None
    folds = folds_of(labels, [rows[i].example.id for i in chosen])
    ranked = rank(labels, out_of_fold(labels, table, folds))
    return Looked([rows[i] for i in chosen], looked_at, names, ranked)


def find(rows: Sequence[Placed], features: Any = None) -> Section:
    """The suspect rows of ``look``, listed in order."""
    looked = look(rows, features)
    if looked is None:
        return Section({"looked_at": 0, "of": len(rows), "estimated": 0})
    ranked = looked.ranked
    findings = [
        _finding(looked.rows[i], looked.names[ranked.other[i]], float(ranked.margin[i]))
        for i in ranked.errors.tolist()
    ]
    figures = {"looked_at": len(looked.rows), "of": looked.of, "estimated": len(findings)}
    return Section(figures, findings)


def _enough(rows: Sequence[Placed], chosen: Sequence[int]) -> list[int]:
    """Only rows of classes that are large enough."""
    counts = Counter(one_label(rows[i]) for i in chosen)
    return [i for i in chosen if counts[one_label(rows[i])] >= FEW_OF_A_CLASS]


def one_label(row: Placed) -> str | None:
    """The label of a row that has exactly one."""
    example = row.example
    if isinstance(example, LabelledExample) and len(example.labels) == 1:
        return example.labels[0]
    return None


def _finding(row: Placed, other: str, margin: float) -> Finding:
    own = one_label(row)
    return Finding(
        "label_error",
        row.example.id,
        row.example.where,
        row.part,
        f"labelled {own}, more like {other}",
        margin,
        {"label": own, "suggested": other},
    )
