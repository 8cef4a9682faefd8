"""Scores of whole answers: exact match, valid JSON, fields of JSON values, perplexity.

Text is compared stripped and in Unicode's composed form (NFC), JSON as values: key order, spacing
and ``1`` against ``1.0`` do not matter, ``true`` against ``1`` does.
"""

from __future__ import annotations

import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from afina.data.content import composed
from afina.errors import DataError
from afina.evaluate.reading import right_texts, same_answer
from afina.evaluate.scorer import Array, Context, Counting, Row, Scorer, mean, ratio
from afina.types import Answer, Example

MAX_DEPTH = 200
"""Levels to which JSON is read; deeper values count as not valid."""


# ---------------------------------------------------------------------------- JSON


def parse_json(text: str) -> Any:
    """The value of a strict JSON object or array, with strings in NFC.

    Raises ValueError for anything else: other text around it (a Markdown fence too), NaN and
    Infinity, a key given twice, a bare string or number, more than ``MAX_DEPTH`` levels.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(value, dict | list):
        raise ValueError("neither an object nor an array")
    return _plain(value, 0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _plain(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(value, dict):
        return {unicodedata.normalize("NFC", k): _plain(v, depth + 1) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(v, depth + 1) for v in value]
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("a number too large")
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    return value


def canonical(value: Any) -> str:
    """One text for all spellings of a value that ``parse_json`` gave."""
    return json.dumps(value, sort_keys=True)


def fields(value: Any, path: str = "") -> Iterator[str]:
    """The leaves of a JSON value as ``path=value``; places in an array are part of the path.

    An empty object or array is a leaf, so that it can be right or wrong like any other value.
    """
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from fields(child, f"{path}.{json.dumps(key)}")
    elif isinstance(value, list) and value:
        for place, child in enumerate(value):
            yield from fields(child, f"{path}[{place}]")
    else:
        yield f"{path}={json.dumps(value)}"


# ---------------------------------------------------------------------------- counting


def _gold_value(example: Example, gold: Answer) -> Any:
    """The right answer's JSON value. Raises DataError naming the row."""
    try:
        return parse_json(gold.text)
    except ValueError as error:
        raise DataError(
            f"the right answer is not one JSON value: {error}",
            where=example.where,
            do="mend the row, or set task.answer to text",
        ) from None


def _same_value(right: Any, answer: Answer) -> bool:
    try:
        return canonical(parse_json(answer.text)) == canonical(right)
    except ValueError:
        return False


def exact_counting(context: Context) -> Counting:
    """Statistics: equal answers, rows. Labels are compared as sets, stretches of texts as by SQuAD."""

    def count(example: Example, gold: Answer, answer: Answer) -> Row:
        if context.labels:
            same = set(gold.labels) == set(answer.labels)
        elif context.types:
            same = {s.key for s in gold.spans or ()} == {s.key for s in answer.spans or ()}
        elif context.reading:
            same = any(same_answer(r, answer.text, context.reading) for r in right_texts(example))
        elif context.json:
            same = _same_value(_gold_value(example, gold), answer)
        else:
            same = composed(gold.text) == composed(answer.text)
        return {0: float(same), 1: 1.0}

    return Counting(2, count)


def valid_counting(context: Context) -> Counting:
    """Statistics: answers that are a JSON object or array, rows."""
    context.require_json("json_valid")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        try:
            parse_json(answer.text)
        except ValueError:
            return {1: 1.0}
        return {0: 1.0, 1: 1.0}

    return Counting(2, count)


def schema_counting(context: Context) -> Counting:
    """Statistics: answers that satisfy the schema, rows."""
    schema = context.require_schema("schema_validity")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        try:
            fits = schema.problem(parse_json(answer.text)) is None
        except ValueError:  # no JSON; or branches of the schema that lead on without an end
            fits = False
        return {0: float(fits), 1: 1.0}

    return Counting(2, count)


def field_counting(context: Context) -> Counting:
    """Statistics: fields that agree, fields of the right answer, fields of the given one."""
    context.require_json("field_f1")

    def count(example: Example, gold: Answer, answer: Answer) -> Row:
        right = Counter(fields(_gold_value(example, gold)))
        try:
            given = Counter(fields(parse_json(answer.text)))
        except ValueError:
            given = Counter()
        agreed = (right & given).total()
        return {0: float(agreed), 1: float(right.total()), 2: float(given.total())}

    return Counting(3, count)


def likelihood_counting(context: Context) -> Counting:
    """Statistics: negative log-likelihood in nats, tokens; they come from the predictor."""
    context.require_text("perplexity")

    def count(_: Example, gold: Answer, answer: Answer) -> Row:
        raise TypeError("perplexity is counted from likelihoods, not from answers")

    return Counting(2, count)


def field_f1(sums: Array) -> Array:
    """2 · agreed / (fields right + fields given), over all rows together."""
    return ratio(2 * sums[..., 0], sums[..., 1] + sums[..., 2])


MOST_NATS = 300.0
"""A token: more than anything that has learned is off by, and with squares that are still numbers."""


def perplexity(sums: Array) -> Array:
    """exp(nats / tokens); of more than ``MOST_NATS`` a token that of so many."""
    return np.asarray(np.exp(np.minimum(mean(sums), MOST_NATS)))


ANSWER_SCORERS: tuple[Scorer, ...] = (
    Scorer(
        "exact_match",
        "Share of the answers equal to the right one (JSON as values, text stripped, labels as a "
        "set, answers found in a text without articles and punctuation).",
        exact_counting,
        mean,
        proportion=True,
    ),
    Scorer(
        "json_valid",
        "Share of the answers that are a JSON object or array and nothing else.",
        valid_counting,
        mean,
        proportion=True,
    ),
    Scorer(
        "schema_validity",
        "Share of the answers that are JSON and satisfy the schema of the task.",
        schema_counting,
        mean,
        proportion=True,
    ),
    Scorer(
        "field_f1",
        "F1 over the single fields of the JSON answers, all rows together.",
        field_counting,
        field_f1,
    ),
    Scorer(
        "perplexity",
        "How surprised the model is by the right answers, a token; comparable only between models "
        "with the same tokenizer.",
        likelihood_counting,
        perplexity,
        better="lower",
        unit="perplexity",
        lowest=1.0,
        highest=None,
        source="likelihood",
    ),
)
