"""Texts as sets of character sequences, in numbers: for near duplicates and overlaps.

A text's shingles are its runs of ``LENGTH`` characters; a shorter text is one shingle. Every shingle
is a 32-bit hash, so two different ones are taken for one in about one of four thousand million cases.
Knows nothing of rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LENGTH = 5
"""Characters of a shingle: long enough that unrelated short texts share few, short enough that one
changed word leaves most of a sentence's shingles as they were."""
CHARACTERS_AT_ONCE = 400_000
"""Texts are worked in pieces of about this size, so that the numbers stay in the processor's cache."""

Hashes = npt.NDArray[np.uint32]
_MULTIPLIER = np.uint32(0x01000193)


@dataclass(frozen=True, slots=True)
class Shingles:
    """Hashes of the shingles of some texts, one text after another.

    ``hashes`` uint32 [N], with repetitions; ``starts`` int64 [rows]: where each text begins.
    """

    hashes: Hashes
    starts: npt.NDArray[np.int64]

    def sets(self) -> list[frozenset[int]]:
        """The shingles of each text, each once."""
        return [frozenset(part.tolist()) for part in np.split(self.hashes, self.starts[1:])]


def shingles(texts: Sequence[str]) -> Shingles:
    """The shingles of non-empty texts; an empty one counts as one space."""
    padded = [text if len(text) >= LENGTH else text.ljust(LENGTH) for text in texts]
    lengths = np.fromiter((len(t) for t in padded), np.int64, len(padded))
    raw = "".join(padded).encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(raw, dtype=np.uint32)
    hashed = np.zeros(max(0, len(codes) - LENGTH + 1), dtype=np.uint32)
    for offset in range(LENGTH):
        hashed *= _MULTIPLIER
        hashed += codes[offset : len(codes) - LENGTH + 1 + offset]
    hashed = _mixed(hashed)
    # A window that begins in a text's last four characters reaches into the next text: it goes.
    ends = np.cumsum(lengths)
    inside = np.ones(len(hashed), dtype=bool)
    for back in range(1, LENGTH):
        across = ends[:-1] - back
        inside[across] = False
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths - LENGTH + 1)[:-1]])
    return Shingles(hashed[inside], starts)


def pieces(texts: Sequence[str]) -> Iterator[tuple[int, Shingles]]:
    """The same in pieces: the number of the first text of each, and its shingles."""
    first, characters = 0, 0
    for i, text in enumerate(texts):
        if characters and characters + len(text) > CHARACTERS_AT_ONCE:
            yield first, shingles(texts[first:i])
            first, characters = i, 0
        characters += max(len(text), LENGTH)
    if first < len(texts):
        yield first, shingles(texts[first:])


def _mixed(hashes: Hashes) -> Hashes:
    """Every bit of the hash depends on every bit (the finaliser of MurmurHash3)."""
    hashes ^= hashes >> np.uint32(16)
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes


def jaccard(first: frozenset[int], second: frozenset[int]) -> float:
    """Shared shingles as a share of all shingles of both; 1 for two empty sets."""
    shared = len(first & second)
    union = len(first) + len(second) - shared
    return shared / union if union else 1.0
