"""Scores of overlapping text: chrF, BLEU and ROUGE.

chrF (Popović 2015) and BLEU (Papineni et al. 2002) are corpus scores equal to sacrebleu's with one
reference and its defaults. ROUGE (Lin 2004) is the mean over rows of an F of words, of pairs of words
or of the longest common subsequence, equal to the ``rouge-score`` package without stemming on ASCII
text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from afina.evaluate.scorer import Array, Context, Counting, Row, Scorer, mean, ratio
from afina.types import Answer, Example

CHRF_ORDER = 6
CHRF_BETA_SQUARED = 4.0
BLEU_ORDER = 4

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
"""Thai, Lao, Burmese, Khmer, Kana, Han: written without spaces, so each character is a word."""
_ALONE = re.compile(f"([{_UNSPACED}])")
_ASCII_WORD = re.compile("[a-z0-9]+")


# ---------------------------------------------------------------------------- ROUGE-L


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits, in composed form; other characters separate.

    On ASCII these are the tokens of ``rouge-score``, which drops every other letter (so that
    ``año`` becomes ``a`` and ``o``); here all scripts keep theirs, with their
    marks. Scripts without spaces count each character as a word.
    """
    lower = unicodedata.normalize("NFC", text.lower())
    if lower.isascii():
        return _ASCII_WORD.findall(lower)
    kept = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in lower)
    return (_ALONE.sub(r" \1 ", kept) if _ALONE.search(kept) else kept).split()


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Its length, by the bit-parallel recurrence of Hyyrö (2004): len(b) steps on len(a) bits."""
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | (1 << i)
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        hits = row & places.get(word, 0)
        row = ((row + hits) | (row - hits)) & full
    return len(a) - row.bit_count()


def rouge_counting(context: Context) -> Counting:
    """Statistics: F of the row, rows. No words on either side is 0."""
    context.require_text("rouge_l")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        right, given = words(gold.text), words(answer.text)
        common = longest_common_subsequence(right, given)
        total = len(right) + len(given)
        return {0: 2.0 * common / total if total else 0.0, 1: 1.0}

    return Counting(2, count)


def rouge_1_counting(context: Context) -> Counting:
    """As ``rouge_counting``, of common words."""
    return _grams_counting(context, "rouge_1", 1)


def rouge_2_counting(context: Context) -> Counting:
    """As ``rouge_counting``, of common pairs of neighbouring words."""
    return _grams_counting(context, "rouge_2", 2)


def _grams_counting(context: Context, name: str, order: int) -> Counting:
    context.require_text(name)

    def grams(text: str) -> Counter[tuple[str, ...]]:
        found = words(text)
        return Counter(tuple(found[i : i + order]) for i in range(len(found) - order + 1))

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        right, given = grams(gold.text), grams(answer.text)
        total = right.total() + given.total()
        return {0: 2.0 * (right & given).total() / total if total else 0.0, 1: 1.0}

    return Counting(2, count)


# ---------------------------------------------------------------------------- chrF


def _codes(text: str) -> NDArray[np.int64]:
    """Code points of the text without white space."""
    joined = "".join(text.split()).encode("utf-32-le", "surrogatepass")
    return np.frombuffer(joined, "<u4").astype(np.int64)


def _common(right: NDArray[np.int64], given: NDArray[np.int64]) -> Iterator[tuple[int, int, int]]:
    """For each order: n-grams of the answer, of the right one, and in both (with multiplicity).

    An n-gram is numbered by the number of its first n - 1 characters and its last one.
    """
    letters = np.unique(np.concatenate([right, given]), return_inverse=True)[1]
    first, second = letters[: len(right)], letters[len(right) :]
    grams = [first, second]
    for order in range(1, CHRF_ORDER + 1):
        if order > 1:
            grams = [
                g[:-1] * len(letters) + base[order - 1 :]
                for g, base in zip(grams, (first, second), strict=True)
            ]
        numbered = np.unique(np.concatenate(grams), return_inverse=True)[1]
        split = len(grams[0])
        grams = [numbered[:split], numbered[split:]]
        size = len(numbered)
        both = np.minimum(*(np.bincount(g, minlength=size) for g in grams)).sum()
        yield len(grams[1]), len(grams[0]), int(both)


def chrf_counting(context: Context) -> Counting:
    """Statistics: for each order 1 to 6 the n-grams of the answer, of the right one, in both.

    White space is left out. As sacrebleu does, the answer's n-grams of an order count nothing
    where the right answer is too short to have any.
    """
    context.require_text("chrf")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        row: dict[int, float] = {}
        for at, figures in enumerate(_common(_codes(gold.text), _codes(answer.text))):
            given, right, both = figures
            row[3 * at] = float(given if right else 0)
            row[3 * at + 1] = float(right)
            row[3 * at + 2] = float(both)
        return row

    return Counting(3 * CHRF_ORDER, count)


def chrf(sums: Array) -> Array:
    """F with recall twice as important, of precision and recall averaged over the orders."""
    given, right, both = sums[..., 0::3], sums[..., 1::3], sums[..., 2::3]
    counts = (given > 0) & (right > 0)
    orders = counts.sum(-1).astype(np.float64)
    precision = ratio(np.where(counts, ratio(both, given), 0.0).sum(-1), orders)
    recall = ratio(np.where(counts, ratio(both, right), 0.0).sum(-1), orders)
    score = ratio(
        (1 + CHRF_BETA_SQUARED) * precision * recall, CHRF_BETA_SQUARED * precision + recall
    )
    return np.asarray(100.0 * score)


# ---------------------------------------------------------------------------- BLEU


def bleu_counting(context: Context) -> Counting:
    """Statistics: words given, words right, then matches and n-grams for orders 1 to 4.

    Words are those of mteval's 13a tokenizer, as in sacrebleu.
    """
    context.require_text("bleu")
    from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a

    tokenize = Tokenizer13a()

    def grams(tokens: list[str], order: int) -> Counter[tuple[str, ...]]:
        return Counter(tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1))

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        right, given = tokenize(gold.text.strip()).split(), tokenize(answer.text.strip()).split()
        row: dict[int, float] = {0: float(len(given)), 1: float(len(right))}
        for order in range(1, BLEU_ORDER + 1):
            hypothesis = grams(given, order)
            row[2 * order] = float((hypothesis & grams(right, order)).total())
            row[2 * order + 1] = float(hypothesis.total())
        return row

    return Counting(2 + 2 * BLEU_ORDER, count)


def bleu(sums: Array) -> Array:
    """Geometric mean of the precisions times the brevity penalty; exponential smoothing.

    The k-th order without a match gets the precision 1 / (2^k · n-grams), as mteval does. No match
    at all, or an order without n-grams, is 0.
    """
    given, right = sums[..., 0], sums[..., 1]
    matches, totals = sums[..., 2::2], sums[..., 3::2]
    empty = (matches == 0) & (totals > 0)
    smoothing = 2.0 ** np.cumsum(empty, axis=-1)
    precision = np.where(empty, ratio(1.0 / smoothing, totals), ratio(matches, totals))
    usable = (totals > 0).all(-1) & (matches.sum(-1) > 0)
    logs = np.log(np.where(usable[..., None], precision, 1.0)).mean(-1)
    longer = given >= right
    penalty = np.where(longer, 1.0, np.exp(1.0 - ratio(right, np.where(longer, right, given))))
    return np.asarray(np.where(usable, 100.0 * penalty * np.exp(logs), 0.0))


OVERLAP_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "chrf",
        "Overlap of character n-grams with the right answers (chrF, as sacrebleu).",
        chrf_counting,
        chrf,
        unit="points",
        highest=100.0,
    ),
    Scorer(
        "bleu",
        "Overlap of word n-grams with the right answers (BLEU, as sacrebleu).",
        bleu_counting,
        bleu,
        unit="points",
        highest=100.0,
    ),
    Scorer(
        "rouge_l",
        "F of the longest common sequence of words, averaged over the rows (ROUGE-L).",
        rouge_counting,
        mean,
    ),
    Scorer(
        "rouge_1",
        "F of the words in common with the right answer, averaged over the rows (ROUGE-1).",
        rouge_1_counting,
        mean,
    ),
    Scorer(
        "rouge_2",
        "F of the pairs of neighbouring words in common with the right answer, averaged over the rows "
        "(ROUGE-2).",
        rouge_2_counting,
        mean,
    ),
)
