"""Exact match, JSON and perplexity."""

from __future__ import annotations

import json
import math

import pytest

from afina.data.content import composed
from afina.errors import DataError, RecipeError
from afina.evaluate.answers import fields, parse_json
from afina.evaluate.intervals import total
from afina.evaluate.scorer import Context, statistics
from afina.evaluate.scorers import SCORERS
from afina.types import Answer
from tests.evaluate.candidates import chats

TEXT, JSON = Context(), Context(json=True)


def score(name: str, golds: list[str], given: list[str], context: Context) -> float:
    scorer = SCORERS[name]
    counting = scorer.counting(context)
    rows = [
        counting.count(e, Answer(g), Answer(a))
        for e, g, a in zip(chats(golds), golds, given, strict=True)
    ]
    return float(scorer.score(total(statistics(rows, counting.width))))


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ("sí", "sí", True),
        ("s\u00ed", "si\u0301", True),
        ("yes", "  yes\n", True),
        ("a\nb", "a\r\nb", True),
        ("yes", "Yes", False),
        ("a b", "a  b", False),
        ('{"a": 1}', '{"a":1}', False),
        ("", " ", True),
    ],
)
def test_text_is_compared_stripped_and_composed(gold: str, answer: str, same: bool) -> None:
    assert score("exact_match", [gold], [answer], TEXT) == float(same)


@pytest.mark.parametrize(
    ("gold", "answer", "same"),
    [
        ('{"a": 1, "b": 2}', '{"b":2,"a":1}', True),
        ('{"a": 1}', '\n{"a": 1.0}\n', True),
        ('{"a": true}', '{"a": 1}', False),
        ('{"a": "1"}', '{"a": 1}', False),
        ('{"a": null}', "{}", False),
        ('["a", "b"]', '["b", "a"]', False),
        ('{"a": "\u00f1"}', '{"a": "n\u0303"}', True),
        ('{"a": 1}', '```json\n{"a": 1}\n```', False),
        ('{"a": 1}', '{"a": 1} ', True),
        ('{"a": 1}', '{"a": 1}{"a": 1}', False),
        ('{"a": 1}', '{"a": 1, "a": 1}', False),
        ('{"a": 1}', "", False),
        ('{"a": 9007199254740993}', '{"a": 9007199254740992}', False),
        ('{"a": -0.0}', '{"a": 0}', True),
    ],
)
def test_json_is_compared_by_value(gold: str, answer: str, same: bool) -> None:
    assert score("exact_match", [gold], [answer], JSON) == float(same)


@pytest.mark.parametrize(
    ("answer", "valid"),
    [
        ('{"a": [1, {"b": null}]}', True),
        ("[]", True),
        (" {} \n", True),
        ("3", False),
        ('"text"', False),
        ("null", False),
        ("{'a': 1}", False),
        ('{"a": NaN}', False),
        ('{"a": 1e999}', False),
        ('{"a": 1,}', False),
        ('{"a": 1', False),
        ("Sure: {}", False),
        ('{"a": 1, "a": 2}', False),
        ("[" * 100_000, False),
        ("[" * 300 + "]" * 300, False),
        ('{"a": ' + "9" * 5000 + "}", False),
    ],
)
def test_valid_json_is_an_object_or_array_and_nothing_else(answer: str, valid: bool) -> None:
    assert score("json_valid", ["{}"], [answer], JSON) == float(valid)


def test_fields_are_paths_with_values() -> None:
    value = parse_json('{"a": {"b": [1, "x"]}, "c": {}, "d": [], "e.f": null}')
    assert sorted(fields(value)) == sorted(
        ['."a"."b"[0]=1', '."a"."b"[1]="x"', '."c"={}', '."d"=[]', '."e.f"=null']
    )


def test_a_dot_in_a_key_is_not_a_path() -> None:
    nested, dotted = parse_json('{"a": {"b": 1}}'), parse_json('{"a.b": 1}')
    assert list(fields(nested)) != list(fields(dotted))


def test_field_f1_is_taken_over_all_rows_together() -> None:
    golds = ['{"a": 1, "b": 2}', '{"a": 1}']
    given = ['{"a": 1, "b": 3, "c": 4}', "not json"]
    agreed, right, answered = 1, 3, 3
    expected = 2 * agreed / (right + answered)
    assert score("field_f1", golds, given, JSON) == pytest.approx(expected)
    assert score("field_f1", golds, golds, JSON) == 1.0
    assert score("field_f1", golds, ["", "x"], JSON) == 0.0


def test_a_right_answer_that_is_not_json_is_named() -> None:
    for name in ("exact_match", "field_f1"):
        with pytest.raises(DataError) as caught:
            score(name, ['{"a": 1, "a": 2}'], ["{}"], JSON)
        assert caught.value.where == "rows.jsonl: row 1"


def test_perplexity_is_the_exponential_of_nats_a_token() -> None:
    scorer = SCORERS["perplexity"]
    sums = total(statistics([{0: 3.0, 1: 2.0}, {0: 1.0, 1: 6.0}], 2))
    assert float(scorer.score(sums)) == pytest.approx(math.exp(4 / 8))
    assert (scorer.better, scorer.source, scorer.sign) == ("lower", "likelihood", -1)


@pytest.mark.parametrize("name", ["json_valid", "field_f1"])
def test_json_scorers_refuse_text(name: str) -> None:
    with pytest.raises(RecipeError, match="JSON"):
        SCORERS[name].counting(TEXT)


@pytest.mark.parametrize("name", ["perplexity", "chrf", "bleu", "rouge_l"])
def test_text_scorers_require_text(name: str) -> None:
    with pytest.raises(RecipeError, match="labels"):
        SCORERS[name].counting(Context(labels=("a", "b")))


def test_normalise_keeps_inner_space() -> None:
    assert composed(" a  b\r") == "a  b"
    assert json.loads('"\\u00e9"') == composed("e\u0301")
