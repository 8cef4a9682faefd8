"""The rows to learn from beside a sample of what is really asked: has the world moved?

Four tests, with the two samples interchangeable if nothing has: length of the questions
(Kolmogorov–Smirnov), words (Jensen–Shannon divergence of their frequencies, by permutation of the
rows), language and label (chi-squared). A label is what a log-linear model on tf-idf says, out of
fold for the rows that it learned from, so that its mistakes are alike on both sides and the sample
needs no labels. The p-values are corrected by Holm. A difference is called drift if it is both
certain and large: of a big enough sample everything is certain.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from afina.data import label_errors
from afina.data.content import digest, normalise
from afina.data.findings import Placed
from afina.data.language import identify
from afina.data.leaks import question
from afina.errors import DataError

Floats = npt.NDArray[np.float64]
MOST_ROWS = 5_000
"""Rows of each side that are compared; of more, so many are drawn by content."""
FEWEST_ROWS = 30
CERTAIN = 0.01
"""Corrected p-value below which a difference is certain."""
LARGE = {"length": 0.15, "words": 0.02, "languages": 0.05, "labels": 0.1}
"""Effect from which a difference matters: distance of the distributions (length, languages, labels:
the largest difference of a cumulative share, or the total variation), or excess divergence in bits."""
PERMUTATIONS = 199
MOST_WORDS = 5_000
NEW_SHOWN = 20
FEWEST_EXPECTED = 5.0
"""Smaller expected counts are joined, as the chi-squared test wants it."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One comparison."""

    name: str
    effect: float
    p_value: float
    """Corrected for the number of comparisons."""
    drifted: bool
    what: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of them. ``new_words``: words of the sample that no row to learn from has, by rows."""

    rows: int
    sample: int
    measures: tuple[Measure, ...]
    new_words: tuple[tuple[str, int], ...]
    unseen: float
    """Share of the sample's words that no row to learn from has."""
    of: tuple[int, int]
    """Rows and rows of the sample there were, before ``MOST_ROWS`` of each were drawn."""

    @property
    def drifted(self) -> bool:
        """Whether any of them says so."""
        return any(measure.drifted for measure in self.measures)

    def as_dict(self) -> dict[str, Any]:
        """As one JSON object."""
        return {
            "rows": self.rows,
            "sample": self.sample,
            "of_rows": self.of[0],
            "of_sample": self.of[1],
            "drifted": self.drifted,
            "measures": [asdict(measure) for measure in self.measures],
            "unseen_words": self.unseen,
            "new_words": dict(self.new_words),
        }


def compare(rows: Sequence[Placed], sample: Sequence[str], seed: int = 7) -> Comparison:
    """``rows``: those to learn from; ``sample``: texts that were really asked.

    Raises DataError if either side has too few rows to tell anything.
    """
    learned = _drawn([(question(row.example), row) for row in rows], "rows")
    asked = _drawn([(text, None) for text in sample], "sample")
    for name, some in (("rows to learn from", learned), ("rows of the sample", asked)):
        if len(some) < FEWEST_ROWS:
            raise DataError(
                f"{len(some)} {name} are too few to compare",
                where="--against",
                do=f"give at least {FEWEST_ROWS}",
            )
    ours, theirs = [text for text, _ in learned], [text for text, _ in asked]
    found = [_length(ours, theirs), _words(ours, theirs, seed)]
    found.append(_counts("languages", [identify(t) for t in ours], [identify(t) for t in theirs]))
    labels = [label_errors.one_label(row) if row is not None else None for _, row in learned]
    if None not in labels and len(set(labels)) > 1:
        ids = [row.example.id for _, row in learned if row is not None]
        found.append(_counts("labels", *_predicted(list(map(str, labels)), ids, ours, theirs)))
    new, unseen = _new_words(ours, theirs)
    of = (len(rows), len(sample))
    return Comparison(len(learned), len(asked), tuple(_corrected(found)), new, unseen, of)


def _drawn(some: Sequence[tuple[str, Placed | None]], name: str) -> list[tuple[str, Placed | None]]:
    kept = [(text, row) for text, row in some if text.strip()]
    if len(kept) <= MOST_ROWS:
        return kept
    return sorted(kept, key=lambda pair: digest(f"{name} {pair[0]}"))[:MOST_ROWS]


# ---------------------------------------------------------------------------- the tests

Raw = tuple[str, float, float, str]
"""Name, effect, p-value, and a sentence."""


def _length(ours: Sequence[str], theirs: Sequence[str]) -> Raw:
    from scipy.stats import ks_2samp

    first, second = ([math.log1p(len(text)) for text in some] for some in (ours, theirs))
    test = ks_2samp(first, second)
    medians = [f"{np.median([len(t) for t in some]):,.0f}" for some in (ours, theirs)]
    what = f"median {medians[0]} characters here, {medians[1]} in the sample"
    return "length", float(test.statistic), float(test.pvalue), what


def _words(ours: Sequence[str], theirs: Sequence[str], seed: int) -> Raw:
    from scipy.sparse import csr_array

    texts = [normalise(text).split() for text in (*ours, *theirs)]
    counts = Counter(word for words in texts for word in words)
    known = {word: n for n, (word, _) in enumerate(counts.most_common(MOST_WORDS))}
    cells = [(i, known[w]) for i, words in enumerate(texts) for w in words if w in known]
    if not cells:
        return "words", 0.0, 1.0, "there are no words"
    row, column = np.array(cells).T
    table = csr_array(
        (np.ones(len(cells)), (row, column)), shape=(len(texts), len(known))
    ).transpose()
    ours_first = np.arange(len(texts)) < len(ours)
    total = table.sum(axis=1)

    def divergence(of_ours: npt.NDArray[np.bool_]) -> float:
        mine = table @ of_ours.astype(float)
        return _jensen_shannon(mine, total - mine)

    real = divergence(ours_first)
    dice = np.random.default_rng(seed)
    chance = [divergence(dice.permutation(ours_first)) for _ in range(PERMUTATIONS)]
    # The permutations cannot show how much rarer than all of them the real one is: a normal tail does.
    p_value = (1 + sum(value >= real for value in chance)) / (PERMUTATIONS + 1)
    mean, spread = float(np.mean(chance)), float(np.std(chance))
    if p_value <= 1 / (PERMUTATIONS + 1) and spread > 0:
        p_value = min(p_value, 0.5 * math.erfc((real - mean) / spread / math.sqrt(2)))
    what = f"divergence {real:.3f} bits, {mean:.3f} by chance"
    return "words", max(0.0, real - mean), p_value, what


def _jensen_shannon(first: Floats, second: Floats) -> float:
    """In bits; 0 for equal, 1 for disjoint distributions."""
    p, q = first / max(first.sum(), 1), second / max(second.sum(), 1)
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [np.where(x > 0, x * np.log2(x / middle), 0.0).sum() for x in (p, q)]
    return float(sum(parts) / 2)


def _counts(name: str, ours: Sequence[str], theirs: Sequence[str]) -> Raw:
    """Chi-squared of two lists of names; the effect is the total variation."""
    from scipy.stats import chi2_contingency

    names = sorted({*ours, *theirs})
    first, second = Counter(ours), Counter(theirs)
    table = np.array([[side[n] for n in names] for side in (first, second)], dtype=float)
    shares = table / table.sum(axis=1, keepdims=True)
    gap = shares[1] - shares[0]
    most = int(np.abs(gap).argmax())
    what = f"{names[most]}: {shares[0, most]:.1%} here, {shares[1, most]:.1%} in the sample"
    expected = table.sum(axis=0) * table.sum(axis=1).min() / table.sum()
    rare = expected < FEWEST_EXPECTED
    joined = np.column_stack([table[:, ~rare], table[:, rare].sum(axis=1)])
    joined = joined[:, joined.sum(axis=0) > 0]
    p_value = (
        1.0 if joined.shape[1] < 2 else float(chi2_contingency(joined, correction=False).pvalue)
    )
    return name, float(np.abs(gap).sum() / 2), p_value, what


def _predicted(
    given: Sequence[str], ids: Sequence[str], ours: Sequence[str], theirs: Sequence[str]
) -> tuple[list[str], list[str]]:
    """The label that a model gives each text of both sides; ours by one that has not seen it."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.naive_bayes import MultinomialNB

    names = sorted(set(given))
    labels = np.array([names.index(label) for label in given])
    made = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
    table, other = made.fit_transform(ours), made.transform(theirs)
    folds = label_errors.folds_of(labels, ids)
    own = label_errors.out_of_fold(labels, table, folds).argmax(axis=1)
    # Each fold's model answers a part of the sample, so both sides meet models of one size.
    answers = np.zeros(len(theirs), dtype=np.int64)
    turn = np.arange(len(theirs)) % label_errors.FOLDS
    for fold in range(label_errors.FOLDS):
        model = MultinomialNB(alpha=label_errors.SMOOTHING)
        model.fit(table[np.flatnonzero(folds != fold)], labels[folds != fold])
        mine = np.flatnonzero(turn == fold)
        if len(mine):
            answers[mine] = model.predict(other[mine])
    return [names[i] for i in own], [names[i] for i in answers]


def _corrected(found: Sequence[Raw]) -> list[Measure]:
    """Holm 1979, and the two conditions of drift."""
    order = sorted(range(len(found)), key=lambda i: found[i][2])
    corrected, least = [0.0] * len(found), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, found[i][2] * (len(found) - place)))
        corrected[i] = least
    return [
        Measure(name, round(effect, 4), p, p < CERTAIN and effect >= LARGE[name], what)
        for (name, effect, _, what), p in zip(found, corrected, strict=True)
    ]


def _new_words(
    ours: Sequence[str], theirs: Sequence[str]
) -> tuple[tuple[tuple[str, int], ...], float]:
    known = {word for text in ours for word in normalise(text).split()}
    rows: Counter[str] = Counter()
    new = total = 0
    for text in theirs:
        words = normalise(text).split()
        total += len(words)
        unseen = [word for word in words if word not in known]
        new += len(unseen)
        # Only words of letters: numbers are always new, and may be somebody's.
        rows.update({word for word in unseen if word.isalpha()})
    shown = sorted(rows.items(), key=lambda r: (-r[1], r[0]))[:NEW_SHOWN]
    return tuple(shown), round(new / total, 4) if total else 0.0
