"""Where the tuned model is weak: its rows by length, language, label and the recipe's columns.

Each slice is tested against the rest of the test, one-sided: exactly where a row is right or wrong
(Fisher 1935), else by dealing the rows at random. As many slices are looked at, the p-values are
Holm's (1979): the chance that any slice is called worse by mistake stays below 1 - confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from afina.data.language import UNKNOWN, identify
from afina.evaluate.finding import Column, Finding, Material, RowMeasure
from afina.evaluate.intervals import CHUNK_NUMBERS
from afina.evaluate.row_measure import cell, of_counted, own_rows
from afina.evaluate.scorer import Array
from afina.evaluate.statement import Statement
from afina.types import Example

LEAST_ROWS = 10
"""Rows that a slice, and the rest of the test, need to be tested."""
MOST_SHOWN = 40
LENGTHS = 4
"""Slices by length, each with about as many rows."""


@dataclass(frozen=True)
class Slice:
    """Rows with something in common: ``by`` (a word of the page, or a column), its value, places."""

    by: str
    name: str
    rows: tuple[int, ...]


def find(material: Material) -> Finding | None:
    """All slices, the least likely by chance first."""
    material = of_counted(material)
    of = own_rows(material)
    every = [s for s in _all(material) if len(s.rows) < len(of.values)]
    large = [s for s in every if LEAST_ROWS <= len(s.rows) <= len(of.values) - LEAST_ROWS]
    if not large:
        return None
    chances = worse_by_chance(
        of, [s.rows for s in large], material.settings.resamples, material.seed
    )
    adjusted = holm(chances)
    confidence = material.settings.confidence
    rows = []
    for each, p_value in sorted(zip(large, adjusted, strict=True), key=lambda pair: pair[1]):
        inside = np.zeros(len(of.values), bool)
        inside[list(each.rows)] = True
        rows.append(
            {
                "slice": each.by,
                "slice_value": each.name,
                "rows": len(each.rows),
                "own_score": cell(of.values[inside], of, confidence),
                "rest": float(of.values[~inside].mean()),
                "p_value": p_value,
                "worse": "slice_worse" if p_value <= 1 - confidence else "",
            }
        )
    columns = (
        Column("slice", "word"),
        Column("slice_value", "text"),
        Column("rows", "count"),
        Column("own_score", "score", of.unit),
        Column("rest", "score", of.unit),
        Column("p_value", "probability"),
        Column("worse", "word"),
    )
    worse = [row for row in rows if row["worse"]]
    values = {
        "metric": of.metric,
        "slices": len(worse),
        "all": len(large),
        "confidence": confidence,
        "names": ", ".join(str(row["slice_value"]) for row in worse[:5]),
    }
    said = [Statement("slices_worse" if worse else "slices_even", values)]
    if len(every) > len(large):
        few = {"slices": len(every) - len(large), "least": LEAST_ROWS}
        said.append(Statement("slices_small", few))
    return Finding("slices", tuple(said), columns, tuple(rows[:MOST_SHOWN]), alarm=bool(worse))


def _all(material: Material) -> Iterator[Slice]:
    questions = [material.task.question(example).joined().text for example in material.test]
    yield from _lengths([len(text.split()) for text in questions])
    yield from by_value("slice_language", [_language(text) for text in questions])
    labels = [gold.labels for gold in material.golds]
    for label in sorted({label for given in labels for label in given}):
        rows = tuple(i for i, given in enumerate(labels) if label in given)
        yield Slice("slice_label", label, rows)
    for column in material.settings.slices:
        yield from by_value(column, values_of(material.test, column))


def values_of(test: Sequence[Example], column: str) -> list[str]:
    """The value of each row in a column; empty where it has none."""
    return [dict(example.fields).get(column, "") for example in test]


def by_value(by: str, values: Sequence[str]) -> list[Slice]:
    """A slice for each value that is not empty."""
    places: dict[str, list[int]] = defaultdict(list)
    for i, value in enumerate(values):
        places[value].append(i)
    return [Slice(by, name, tuple(places[name])) for name in sorted(places.keys() - {""})]


def _language(text: str) -> str:
    found = identify(text)
    return "" if found == UNKNOWN else found


def _lengths(words: Sequence[int]) -> Iterator[Slice]:
    """Rows from few words to many, cut where about a quarter of them each falls."""
    edges = np.unique(np.quantile(words, np.linspace(0, 1, LENGTHS + 1), method="nearest"))
    for low, high in pairwise(edges):
        first = low == edges[0]
        rows = tuple(
            i for i, n in enumerate(words) if (low <= n if first else low < n) and n <= high
        )
        if rows:
            inside = [words[i] for i in rows]
            yield Slice("slice_length", f"{min(inside)}–{max(inside)}", rows)


# ---------------------------------------------------------------------------- chance


def worse_by_chance(
    of: RowMeasure, slices: Sequence[Sequence[int]], resamples: int, seed: int
) -> list[float]:
    """For each slice: how likely rows dealt at random would be as bad as it, or worse."""
    values = of.values * of.sign
    sums = [float(values[list(rows)].sum()) for rows in slices]
    if of.hits:
        from scipy.stats import hypergeom

        total = round(float(of.values.sum()))
        return [
            float(hypergeom.cdf(round(s), len(values), total, len(rows)))
            for s, rows in zip(sums, slices, strict=True)
        ]
    return _dealt(values, [len(rows) for rows in slices], sums, resamples, seed)


def _dealt(
    values: Array, sizes: Sequence[int], sums: Sequence[float], resamples: int, seed: int
) -> list[float]:
    """One dealing serves all slices: the first n rows of an order are a slice of n by chance."""
    generator = np.random.default_rng([seed, 2])
    size = max(1, min(resamples, CHUNK_NUMBERS // len(values)))
    as_bad = np.zeros(len(sizes))
    slack = 1e-12 * max(1.0, float(np.abs(values).sum()))
    for start in range(0, resamples, size):
        count = min(size, resamples - start)
        orders = generator.permuted(np.tile(values, (count, 1)), axis=1)
        running = np.cumsum(orders, axis=1)[:, np.asarray(sizes) - 1]
        as_bad += (running <= np.asarray(sums) + slack).sum(0)
    return [float(p) for p in (1 + as_bad) / (1 + resamples)]


def holm(chances: Sequence[float]) -> list[float]:
    """p-values that hold for all tests together (Holm 1979)."""
    order = sorted(range(len(chances)), key=lambda i: chances[i])
    adjusted, least = [0.0] * len(chances), 0.0
    for place, i in enumerate(order):
        least = max(least, min(1.0, chances[i] * (len(chances) - place)))
        adjusted[i] = least
    return adjusted
