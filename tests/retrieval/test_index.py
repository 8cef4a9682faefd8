"""The search: the same scores as the formula, the right passages, and what counts as found."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from afina.errors import RequestError
from afina.retrieval import Document, Documents, Index, hit_rate
from afina.retrieval.bm25 import LENGTH_SHARE, SATURATION, Bm25

TEXTS = ("the cat sat on the mat", "a dog and a cat", "birds fly high", "the the the dog")


def documents(*texts: str) -> Documents:
    return Documents(tuple(Document(f"d{i}", text, f"d{i}") for i, text in enumerate(texts)))


class Letters:
    """Vectors that count a few letters; texts of more than ``most`` words do not fit."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.asked: list[str] = []

    def passages(self, texts: Sequence[str]) -> np.ndarray:
        found = np.array([[t.count(c) + 0.01 for c in "abcdefgh"] for t in texts], np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)

    def questions(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        return self.passages(texts)

    def fits(self, text: str) -> bool:
        return len(text.split()) <= self.most


def by_hand(question: str, text: str) -> float:
    """BM25 of one passage, word by word."""
    all_words = [t.split() for t in TEXTS]
    usual = sum(map(len, all_words)) / len(all_words)
    own, total = text.split(), 0.0
    for word in question.split():
        holding = sum(word in words for words in all_words)
        if not holding:
            continue
        rarity = math.log(1 + (len(TEXTS) - holding + 0.5) / (holding + 0.5))
        often = own.count(word)
        damped = SATURATION * (1 - LENGTH_SHARE + LENGTH_SHARE * len(own) / usual)
        total += rarity * often * (SATURATION + 1) / (often + damped)
    return total


def test_bm25_is_the_formula() -> None:
    questions = ["the cat", "dog dog high", "nothing here"]
    found = Bm25(TEXTS).scores(questions)
    wanted = [[by_hand(q, t) for t in TEXTS] for q in questions]
    assert found == pytest.approx(np.array(wanted))


def test_passages_that_share_no_word_are_no_hits() -> None:
    index = Index(documents(*TEXTS))
    (cats, nothing) = index.search(["Cat!", "xylophone"], 3)
    assert [hit.passage.document for hit in cats] == ["d1", "d0"]
    assert nothing == []


def test_of_equals_the_earlier_comes_first() -> None:
    index = Index(documents("same words", "same words", "same words"))
    assert [h.passage.document for h in index.search(["words"], 2)[0]] == ["d0", "d1"]


def test_vectors_and_both() -> None:
    letters = Letters()
    texts = ("aaaa b", "cccc d", "eeee f")
    by_vectors = Index(documents(*texts), way="embeddings", embedder=letters)
    assert by_vectors.search(["ccc"], 1)[0][0].passage.document == "d1"
    both = Index(documents(*texts), way="both", embedder=letters)
    # The word is in the first, the letters are those of the third: both come before the second.
    names = [h.passage.document for h in both.search(["aaaa eeeeeeeee"], 3)[0]]
    assert set(names[:2]) == {"d0", "d2"}
    with pytest.raises(RequestError, match="makes vectors"):
        Index(documents(*texts), way="both")


def test_long_passages_are_cut_and_long_questions_shortened_for_the_embedder() -> None:
    letters = Letters(most=4)
    index = Index(documents("a b c d e f g h"), way="embeddings", embedder=letters)
    assert all(letters.fits(p.text) for p in index.passages)
    index.search(["one two three four five six seven"], 1)
    assert index.shortened == 1
    assert letters.asked[-1].split()[-1] == "seven"
    assert letters.fits(letters.asked[-1])


def test_the_hit_rate_by_named_documents() -> None:
    index = Index(documents(*TEXTS))
    measured = hit_rate(
        index, ["cat mat", "dog", "high", "cat"], [""] * 4, [{"d0"}, {"d1"}, set(), {"d0"}],
        counts=(1, 2),
    )  # fmt: skip
    assert measured is not None
    assert (measured.by, measured.rows, measured.unmeasured) == ("document", 3, 1)
    assert measured.shares[1][0] == pytest.approx(1 / 3)
    assert measured.shares[2][0] == pytest.approx(1.0)
    low, high = measured.shares[1][1:]
    assert low < 1 / 3 < high
    assert measured.as_dict()["shares"]["2"]["value"] == 1.0


def test_the_hit_rate_by_the_words_of_the_answer() -> None:
    index = Index(documents("the boiler stands in the cellar", "the lamp stands in the hall"))
    measured = hit_rate(
        index,
        ["where is the boiler", "where is the lamp", "yes or no"],
        ["in the cellar", "in the attic", "no"],
        counts=(1,),
    )
    assert measured is not None
    assert (measured.by, measured.rows, measured.unmeasured) == ("answer", 2, 1)
    assert measured.shares[1][0] == pytest.approx(0.5)
    assert hit_rate(index, ["a"], ["b"]) is None
