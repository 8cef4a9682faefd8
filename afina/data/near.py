"""Near duplicates: pairs of texts that share most of their shingles, found by MinHash and bands.

Broder 1997 (the share of equal minima of random orders estimates the Jaccard similarity) and
Leskovec, Rajaraman & Ullman, *Mining of Massive Datasets*, ch. 3 (bands). Every candidate pair is
then compared exactly, so what is reported is near by definition; a pair that is near and is not
reported was in no common band: at a similarity of 0.8 about one of 600. Knows nothing of splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from afina.data.shingles import Shingles, jaccard, pieces

SIMILARITY = 0.8
"""Texts that share at least this part of their shingles are near duplicates."""
BANDS, ROWS_A_BAND = 16, 5
ORDERS = BANDS * ROWS_A_BAND
MOST_COMPARED = 8
"""Texts of one bucket that are each compared with all others; in a larger bucket a text is compared
with the first of it and with the two before it, which joins the same groups with less work."""
PAIRS_AT_ONCE = 50_000
"""Pairs whose signatures are compared in one piece."""
CHARACTERS_COMPARED = 1_500_000
"""Texts of about so many characters are held as sets at one time (some 100 bytes a character)."""
MOST_PARTNERS = 8
"""Later texts that one text is compared with; a text of a larger family is joined to it all the same,
but not every pair of such a family is listed."""

Signatures = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two texts by their numbers, the smaller first, and their exact similarity."""

    first: int
    second: int
    similarity: float


def near_pairs(texts: Sequence[str], similarity: float = SIMILARITY) -> list[Pair]:
    """Pairs of different texts at or over the similarity, in order. Equal texts: give each once."""
    if len(texts) < 2:
        return []
    candidates = _candidates(_band_keys(texts))
    return _compared(texts, _likely(texts, candidates, similarity), similarity)


def minima(texts: Sequence[str]) -> Signatures:
    """For each text the least hash in each of ``ORDERS`` fixed random orders; uint32 [rows, ORDERS]."""
    parts = [_minima_of(piece) for _, piece in pieces(texts)]
    return np.concatenate(parts) if parts else np.empty((0, ORDERS), dtype=np.uint32)


def _minima_of(piece: Shingles) -> Signatures:
    draw = np.random.default_rng(20_211)
    factors = draw.integers(1, 2**32, ORDERS, dtype=np.uint32) | np.uint32(1)
    offsets = draw.integers(0, 2**32, ORDERS, dtype=np.uint32)
    found = np.empty((len(piece.starts), ORDERS), dtype=np.uint32)
    for order in range(ORDERS):
        ranked = piece.hashes * factors[order]
        ranked += offsets[order]
        found[:, order] = np.minimum.reduceat(ranked, piece.starts)
    return found


def _band_keys(texts: Sequence[str]) -> Keys:
    """One number for the minima of each band, uint64 [BANDS, rows]; the minima are not kept."""
    keys = np.zeros((BANDS, len(texts)), dtype=np.uint64)
    for first, piece in pieces(texts):
        found = _minima_of(piece).astype(np.uint64)
        rows = slice(first, first + len(found))
        for band in range(BANDS):
            key = keys[band, rows]
            for column in range(band * ROWS_A_BAND, (band + 1) * ROWS_A_BAND):
                key = (key ^ found[:, column]) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(29)
            keys[band, rows] = key
    return keys


def _candidates(keys: Keys) -> npt.NDArray[np.int64]:
    """Pairs that agree in all rows of a band; int64 [pairs, 2], each once, sorted."""
    count = keys.shape[1]
    codes = []
    for key in keys:
        order = np.argsort(key, kind="stable")
        codes.append(_in_buckets(order, key[order], count))
    unique: npt.NDArray[np.int64] = np.unique(np.concatenate(codes))
    first = unique // count
    begins = np.searchsorted(first, np.arange(count))
    few = np.arange(len(unique)) - begins[first] < MOST_PARTNERS
    return np.stack([first[few], unique[few] % count], axis=1)


def _in_buckets(
    order: npt.NDArray[np.int64], keys: npt.NDArray[np.uint64], count: int
) -> npt.NDArray[np.int64]:
    """Pairs within runs of equal keys, as ``first * count + second``."""
    begins = np.concatenate([[0], np.flatnonzero(np.diff(keys)) + 1])
    sizes = np.diff(np.concatenate([begins, [count]]))
    begin, size = np.repeat(begins, sizes), np.repeat(sizes, sizes)
    place = np.arange(count) - begin
    found: list[npt.NDArray[np.int64]] = []
    for lag in range(1, min(MOST_COMPARED, int(sizes.max()))):
        later = np.flatnonzero((place >= lag) & ((size <= MOST_COMPARED) | (lag <= 2)))
        found.append(order[later - lag] * count + order[later])
    later = np.flatnonzero((place > 2) & (size > MOST_COMPARED))
    found.append(order[begin[later]] * count + order[later])
    return np.unique(np.concatenate(found))


def _likely(
    texts: Sequence[str], candidates: npt.NDArray[np.int64], similarity: float
) -> npt.NDArray[np.int64]:
    """The candidates whose share of equal minima is not four standard errors below the wished one."""
    least = similarity - 4 * np.sqrt(similarity * (1 - similarity) / ORDERS)
    stay = [candidates[:0]]
    for begin in range(0, len(candidates), PAIRS_AT_ONCE):
        part = candidates[begin : begin + PAIRS_AT_ONCE]
        rows, place = np.unique(part, return_inverse=True)
        signatures = minima([texts[i] for i in rows])
        one, other = place.reshape(part.shape).T
        equal = signatures[one] == signatures[other]
        stay.append(part[equal.mean(axis=1) >= least])
    return np.concatenate(stay)


def near_to(texts: Sequence[str], others: Sequence[str]) -> set[str]:
    """Those of the texts that equal one of the others, or hang together with it by near pairs."""
    if not others:
        return set()
    every = sorted({*texts, *others})
    families = Families(len(every))
    for pair in near_pairs(every):
        families.join(pair.first, pair.second)
    of = {text: families.root(i) for i, text in enumerate(every)}
    held = {of[text] for text in others}
    return {text for text in texts if of[text] in held}


class Families:
    """Which texts hang together by the pairs found so far."""

    def __init__(self, count: int) -> None:
        self._above = list(range(count))
        self._size = [1] * count

    def join(self, one: int, other: int) -> None:
        first, second = sorted((self.root(one), self.root(other)))
        if first != second:
            self._above[second] = first
            self._size[first] += self._size[second]

    def large(self, one: int, other: int) -> bool:
        """Whether both are in one family that is large already."""
        root = self.root(one)
        return root == self.root(other) and self._size[root] > MOST_PARTNERS

    def root(self, i: int) -> int:
        """The least text of its family."""
        while self._above[i] != i:
            self._above[i] = self._above[self._above[i]]
            i = self._above[i]
        return i


def _compared(
    texts: Sequence[str], candidates: npt.NDArray[np.int64], similarity: float
) -> list[Pair]:
    """The candidates that are near, by their exact similarity."""
    families = Families(len(texts))
    found: list[Pair] = []
    pairs: list[tuple[int, int]] = []
    wanted: set[int] = set()
    characters = 0
    for first, second in candidates.tolist():
        if families.large(first, second):
            continue
        for i in (first, second):
            if i not in wanted:
                wanted.add(i)
                characters += len(texts[i])
        pairs.append((first, second))
        if characters > CHARACTERS_COMPARED:
            found += _near_of(texts, pairs, sorted(wanted), similarity, families)
            pairs, wanted, characters = [], set(), 0
    return found + _near_of(texts, pairs, sorted(wanted), similarity, families)


def _near_of(
    texts: Sequence[str],
    pairs: Sequence[tuple[int, int]],
    wanted: Sequence[int],
    similarity: float,
    families: Families,
) -> list[Pair]:
    """The pairs that are near, but for those of a family that is large already."""
    sets: list[frozenset[int]] = []
    for _, piece in pieces([texts[i] for i in wanted]):
        sets += piece.sets()
    of = dict(zip(wanted, sets, strict=True))
    found = []
    for one, other in pairs:
        if families.large(one, other):
            continue
        value = jaccard(of[one], of[other])
        if value >= similarity:
            families.join(one, other)
            found.append(Pair(one, other, value))
    return found
