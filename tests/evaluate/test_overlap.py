"""chrF and BLEU against sacrebleu, ROUGE-L against an independent count and rouge-score."""

from __future__ import annotations

from random import Random

import pytest
import sacrebleu

from afina.evaluate.intervals import resample, total
from afina.evaluate.overlap import longest_common_subsequence, words
from afina.evaluate.scorer import Context, statistics
from afina.evaluate.scorers import SCORERS
from afina.types import Answer
from tests.evaluate.candidates import chats

VOCABULARY = [
    "la",
    "luz",
    "del",
    "salón",
    "enciende",
    "apaga",
    "20",
    "grados,",
    "por",
    "favor.",
    "¿Qué",
    "es",
    "un",
    "pagaré?",
    "ñandú",
    "a",
    "b",
]


def pairs(seed: int, count: int = 12) -> tuple[list[str], list[str]]:
    """Right answers and answers that share words with them; some are short, some empty."""
    random = Random(seed)
    golds, given = [], []
    for _ in range(count):
        gold = random.choices(VOCABULARY, k=random.randint(1, 12))
        answer = [w if random.random() < 0.7 else random.choice(VOCABULARY) for w in gold]
        golds.append(" ".join(gold))
        given.append(" ".join(answer[: random.randint(0, len(answer))]))
    return golds, given


def matrix(name: str, golds: list[str], given: list[str]):
    counting = SCORERS[name].counting(Context())
    rows = [
        counting.count(e, Answer(g), Answer(a))
        for e, g, a in zip(chats(golds), golds, given, strict=True)
    ]
    return statistics(rows, counting.width)


def score(name: str, golds: list[str], given: list[str]) -> float:
    return float(SCORERS[name].score(total(matrix(name, golds, given))))


@pytest.mark.parametrize("seed", range(20))
def test_chrf_equals_sacrebleu(seed: int) -> None:
    golds, given = pairs(seed)
    expected = sacrebleu.corpus_chrf(given, [golds]).score
    assert score("chrf", golds, given) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_bleu_equals_sacrebleu(seed: int) -> None:
    golds, given = pairs(seed)
    expected = sacrebleu.corpus_bleu(given, [golds]).score
    assert score("bleu", golds, given) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [("", ""), ("a", ""), ("", "a"), ("ab", "abcdefgh"), ("x", "y"), ("a b c d e", "a b c d e")],
)
def test_edges_equal_sacrebleu(gold: str, answer: str) -> None:
    expected = sacrebleu.corpus_chrf([answer], [[gold]]).score
    assert score("chrf", [gold], [answer]) == pytest.approx(expected, abs=1e-9)
    expected = sacrebleu.corpus_bleu([answer], [[gold]]).score
    assert score("bleu", [gold], [answer]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["chrf", "bleu", "rouge_l", "rouge_1", "rouge_2"])
def test_a_resample_is_the_score_of_the_drawn_rows(name: str) -> None:
    golds, given = pairs(3, count=6)
    found = SCORERS[name].score(resample([matrix(name, golds, given)], 20, seed=5)[0])
    import numpy as np

    drawn = np.random.default_rng(5).integers(0, 6, size=(20, 6))
    for value, rows in zip(found, drawn, strict=True):
        expected = score(name, [golds[i] for i in rows], [given[i] for i in rows])
        assert value == pytest.approx(expected)


def plain_lcs(a: list[str], b: list[str]) -> int:
    """The textbook table."""
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = (
                table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
            )
    return table[-1][-1]


@pytest.mark.parametrize("seed", range(60))
def test_longest_common_subsequence_equals_the_textbook(seed: int) -> None:
    random = Random(seed)
    letters = "abcdef"[: random.randint(1, 6)]
    a = random.choices(letters, k=random.randint(0, 90))
    b = random.choices(letters, k=random.randint(0, 90))
    assert longest_common_subsequence(a, b) == plain_lcs(a, b)


def test_rouge_l_is_the_mean_of_the_rows() -> None:
    golds, given = ["the cat sat down", "one"], ["the cat stood", "two"]
    precision, recall = 2 / 3, 2 / 4
    first = 2 * precision * recall / (precision + recall)
    assert score("rouge_l", golds, given) == pytest.approx((first + 0) / 2)


@pytest.mark.parametrize(
    ("name", "theirs"), [("rouge_l", "rougeL"), ("rouge_1", "rouge1"), ("rouge_2", "rouge2")]
)
def test_rouge_equals_rouge_score_on_ascii(name: str, theirs: str) -> None:
    scorer = pytest.importorskip("rouge_score.rouge_scorer").RougeScorer([theirs])
    random = Random(1)
    vocabulary = [
        "The",
        "cat,",
        "sat",
        "on",
        "a",
        "mat.",
        "It's",
        "3.14",
        "o'clock;",
        "under_score",
        "END",
    ]
    for _ in range(60):
        gold = " ".join(random.choices(vocabulary, k=random.randint(0, 15)))
        answer = " ".join(random.choices(vocabulary, k=random.randint(0, 15)))
        expected = scorer.score(gold, answer)[theirs].fmeasure
        assert score(name, [gold], [answer]) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("¿Qué es un PAGARÉ?", ["qué", "es", "un", "pagaré"]),
        ("an\u0303o", ["año"]),
        ("snake_case x2", ["snake", "case", "x2"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
        ("… — !", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected
