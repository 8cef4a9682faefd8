"""Two tuned models of different runs, compared as rigorously as a model and its baseline.

What a report keeps for this are the statistics of each test row, by the row's id; no text. Only runs
that were measured on the very same rows are compared: another test is another question, and a row of
one run's test may have been learned by the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afina.evaluate.intervals import resample
from afina.evaluate.labels import EXPECTED_COST
from afina.evaluate.paired import Comparison, compare
from afina.evaluate.scorer import Context
from afina.evaluate.scorers import SCORERS
from afina.evaluate.statement import Statement
from afina.types import Example, Task

FILE = "rows.json"
"""Where a run keeps them."""


def keep(
    matrices: Mapping[str, Any], test: Sequence[Example], task: Task, sha256: str
) -> dict[str, Any]:
    """The statistics of each row by scorer ({name: matrix [N, k]}), as plain values.

    Matrices that scorers share are kept once: ``scorers`` names the place of each one's.
    """
    context = Context.of(task)
    kept: list[Any] = []
    places: dict[str, int] = {}
    for name, matrix in matrices.items():
        at = next((i for i, other in enumerate(kept) if other is matrix), len(kept))
        if at == len(kept):
            kept.append(matrix)
        places[name] = at
    return {
        "test": sha256,
        "ids": [example.id for example in test],
        "columns": list(context.labels or context.types),
        "costs": [list(cost) for cost in context.costs],
        "scorers": places,
        "matrices": [
            {
                "width": matrix.shape[1],
                "starts": matrix.indptr.tolist(),
                "places": matrix.indices.tolist(),
                "values": matrix.data.tolist(),
            }
            for matrix in kept
        ],
    }


def refusal(first: Mapping[str, Any] | None, second: Mapping[str, Any] | None) -> Statement | None:
    """Why two runs cannot be compared; None if they can."""
    if first is None or second is None:
        return Statement("compare_unkept")
    one, other = set(first["ids"]), set(second["ids"])
    if one != other:
        values = {"shared": len(one & other), "rows": len(one), "others": len(other)}
        return Statement("compare_rows", values)
    if first["test"] != second["test"]:
        return Statement("compare_content", {"rows": len(one)})
    if first["columns"] != second["columns"]:
        return Statement("compare_labels")
    return None


def versus(
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    *,
    confidence: float,
    resamples: int,
    seed: int,
) -> dict[str, Comparison]:
    """The second run's tuned model minus the first's, in every score that both have, in pairs.

    Both as ``keep`` gave them, not refused. What errors cost is compared where both counted with the
    same costs. The p-values are of one comparison each.
    """
    order = {row: i for i, row in enumerate(second["ids"])}
    rows = [order[row] for row in first["ids"]]
    found: dict[str, Comparison] = {}
    for name in first["scorers"]:
        if name not in second["scorers"] or name not in SCORERS:
            continue
        if name == EXPECTED_COST and first.get("costs") != second.get("costs"):
            continue
        one, other = _matrix(first, name), _matrix(second, name)[rows]
        sums = resample([one, other], resamples, seed)
        found[name] = compare(
            SCORERS[name],
            "first",
            (other, sums[1]),
            (one, sums[0]),
            confidence=confidence,
            family=1,
            seed=seed,
        )
    return found


def _matrix(kept: Mapping[str, Any], name: str) -> Any:
    from scipy.sparse import csr_array

    of = kept["matrices"][kept["scorers"][name]]
    parts = (
        np.asarray(of["values"], np.float64),
        np.asarray(of["places"]),
        np.asarray(of["starts"]),
    )
    return csr_array(parts, shape=(len(kept["ids"]), of["width"]))


def sentence(
    found: Comparison, metric: str, names: tuple[str, str], confidence: float
) -> Statement:
    """Which run is better, or that it is not shown."""
    scorer = SCORERS[metric]
    low = -np.inf if found.low is None else found.low
    high = np.inf if found.high is None else found.high
    sure = found.p_value <= 1 - confidence and (low > 0 or high < 0)
    better = scorer.sign * found.difference > 0
    values = {"metric": metric, "unit": scorer.unit, "confidence": confidence}
    values |= {"difference": found.difference, "low": found.low, "high": found.high}
    values |= {"p_value": found.p_value, "first": names[0], "second": names[1]}
    if sure:
        winner, loser = (names[1], names[0]) if better else names
        return Statement("compare_better", values | {"winner": winner, "loser": loser})
    return Statement("compare_open", values)
