"""Whether answers depend on who somebody is: scores of groups, and questions with the group swapped.

A swap (counterfactual, Kusner et al. 2017) leaves a question as it was but for who it is about; the
share of answers that change with it needs no right answers. What stands in neither a column nor the
lists of terms is not seen, and no difference found is no proof of fairness.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from afina.evaluate.asking import Further
from afina.evaluate.finding import Column, Finding, Material, RowMeasure
from afina.evaluate.further import answered, asked_otherwise, columns, pairs_in
from afina.evaluate.intervals import between
from afina.evaluate.row_measure import cell, of_counted, own_rows
from afina.evaluate.slices import LEAST_ROWS, by_value, holm, values_of
from afina.evaluate.statement import Statement
from afina.evaluate.swap_terms import SWAPS, swapper
from afina.recipe.proof import Bias
from afina.types import Example, Task

OWN_TERMS = "own_terms"


def swaps(settings: Bias) -> dict[str, Callable[[str], str]]:
    """What is exchanged, by its word on the page. Raises DataError for a bad file of terms."""
    found = {name: make() for name, make in SWAPS.items()} if settings.swaps else {}
    if settings.terms is not None:
        found[OWN_TERMS] = swapper((one, other) for one, other in read_terms(settings.terms))
    return found


def read_terms(source: str) -> list[tuple[str, ...]]:
    """Pairs of terms of a file. Raises DataError."""
    return pairs_in(source, [("one",), ("other",)], "evaluate.bias.terms")


def questions(settings: Bias, task: Task, test: Sequence[Example]) -> list[Further]:
    """Every question that holds a term, with the other term of its pair."""
    rows = range(len(test))
    found = [
        asked_otherwise(name, task, test, rows, swap) for name, swap in swaps(settings).items()
    ]
    return [further for further in found if further.rows]


def find_swaps(material: Material) -> Finding | None:
    """How many answers change with a swap, and what that does to the score."""
    settings = material.settings.bias
    if settings is None or material.judged.source != "answers":
        return None
    known = swaps(settings)
    asked = [f for f in material.further if f.name in known]
    if not known:
        return None
    written = material.task.head == "tokens"
    found = [answered(material, f, known[f.name] if written else None) for f in asked]
    rows = [{"swap": each.name, **each.cells(material)} for each in found]
    over = [row for row in rows if row["moved"]["low"] > settings.at_most]  # type: ignore[index]
    values: dict[str, Any] = {"most": settings.at_most, "confidence": material.settings.confidence}
    if not rows:
        said = Statement("swaps_none", {"rows": len(material.test)})
        return Finding("swaps", (said,))
    worst: Any = max(over or rows, key=lambda row: row["moved"]["value"])  # type: ignore[index]
    values |= {"swap": worst["swap"], "rows": worst["rows"], **worst["moved"]}
    said = Statement("swaps_change" if over else "swaps_few", values)
    head = (Column("swap", "word"), *columns(material))
    return Finding("swaps", (said,), head, tuple(rows), alarm=bool(over))


def find_groups(material: Material) -> Finding | None:
    """Scores by group for each column, and the largest gap, tested by dealing the groups at random."""
    settings = material.settings.bias
    if settings is None or not settings.groups:
        return None
    material = of_counted(material)
    of = own_rows(material)
    confidence = material.settings.confidence
    rows: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    for column in settings.groups:
        each = by_value(column, values_of(material.test, column))
        large = [s for s in each if len(s.rows) >= LEAST_ROWS]
        for s in large:
            rows.append(_group(column, s.name, of, s.rows, confidence))
        if len(large) >= 2:
            own = sorted(rows[-len(large) :], key=lambda row: row["own_score"]["value"])
            chance = gap_by_chance(
                of, [s.rows for s in large], material.settings.resamples, material.seed
            )
            gaps.append({"column": column, "ends": (own[0], own[-1]), "chance": chance})
    tested = {gap["column"] for gap in gaps}
    small = ", ".join(column for column in settings.groups if column not in tested)
    few = (Statement("groups_small", {"least": LEAST_ROWS, "names": small}),) if small else ()
    if not gaps:
        return Finding("groups", few, alarm=True)
    adjusted = holm([gap["chance"] for gap in gaps])
    at = min(range(len(gaps)), key=lambda i: adjusted[i])
    unequal = adjusted[at] <= 1 - confidence
    low, high = gaps[at]["ends"]
    values = {
        "column": gaps[at]["column"],
        "metric": of.metric,
        "unit": of.unit,
        "rows": len(of.values),
    }
    values |= {"first": low["group"], "names": high["group"], "p_value": adjusted[at]}
    values |= {"value": low["own_score"]["value"], "other": high["own_score"]["value"]}
    gap = between(low["own_score"], high["own_score"])
    values |= {"difference": gap["value"], "low": gap["low"], "high": gap["high"]}
    said = Statement("groups_differ" if unequal else "groups_even", values)
    head = (
        Column("column", "text"),
        Column("group", "text"),
        Column("rows", "count"),
        Column("own_score", "score", of.unit),
    )
    return Finding("groups", (said, *few), head, tuple(rows), alarm=unequal)


def _group(
    column: str, name: str, of: RowMeasure, rows: Sequence[int], confidence: float
) -> dict[str, Any]:
    score = cell(of.values[list(rows)], of, confidence)
    return {"column": column, "group": name, "rows": len(rows), "own_score": score}


def gap_by_chance(
    of: RowMeasure, groups: Sequence[Sequence[int]], resamples: int, seed: int
) -> float:
    """How often groups of these sizes, dealt at random, are as far apart as these."""
    inside = np.concatenate([np.asarray(rows) for rows in groups])
    values = of.values[inside]
    starts = np.cumsum([0, *(len(rows) for rows in groups[:-1])])
    sizes = np.asarray([len(rows) for rows in groups])
    generator = np.random.default_rng([seed, 4])

    def gap(orders: Any) -> Any:
        means = np.add.reduceat(orders, starts, axis=-1) / sizes
        return means.max(-1) - means.min(-1)

    seen = float(gap(values))
    as_large = 0
    for _ in range(resamples):
        as_large += float(gap(generator.permuted(values))) >= seen - 1e-12
    return (1 + as_large) / (1 + resamples)
