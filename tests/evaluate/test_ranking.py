"""Scores of ranked texts against scikit-learn and by hand."""

from __future__ import annotations

import random

import pytest
from sklearn.metrics import ndcg_score

from afina.errors import RecipeError
from afina.evaluate.scorer import Context
from afina.evaluate.scorers import SCORERS
from afina.types import Answer, PairExample

ROW = PairExample(id="1", where="row 1", query="q", positive="a")


def score(name: str, right: list[str], given: list[str]) -> float:
    counting = SCORERS[name].counting(Context(ranks=True))
    row = counting.count(ROW, Answer("", tuple(right)), Answer("", tuple(given)))
    assert row[1] == 1.0
    return row[0]


def test_by_hand() -> None:
    given = ["x", "a", "y", "b"]
    assert score("mrr", ["a", "b"], given) == 0.5
    assert score("recall_at_1", ["a", "b"], given) == 0
    assert score("recall_at_10", ["a", "b", "c"], given) == pytest.approx(2 / 3)
    assert [score(f"hit_at_{k}", ["b"], given) for k in (1, 5, 10)] == [0, 1, 1]
    assert score("recall_at_1", ["a", "x"], ["a", "x"]) == 0.5
    assert score("mrr", ["z"], [*"bcdefghijk", "z"]) == 0
    assert score("recall_at_10", ["a"], ["a", "a"]) == 1


@pytest.mark.parametrize("seed", range(20))
def test_ndcg_is_that_of_scikit_learn(seed: int) -> None:
    chance = random.Random(seed)
    texts = [str(i) for i in range(12)]
    right = chance.sample(texts, chance.randint(1, 4))
    given = chance.sample(texts, 12)
    grades = [[float(t in right) for t in texts]]
    scores = [[float(-given.index(t)) for t in texts]]
    assert score("ndcg", right, given) == pytest.approx(ndcg_score(grades, scores, k=10))


def test_other_tasks_have_no_ranks() -> None:
    with pytest.raises(RecipeError, match="looks at ranked texts"):
        SCORERS["ndcg"].counting(Context())
    with pytest.raises(RecipeError, match="answers of this task are ranked texts"):
        SCORERS["chrf"].counting(Context(ranks=True))
