"""Two runs side by side: what was asked differently, and which is shown to be better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from afina.cli.listing import facts_of, read_if_there, tuned_scores

if TYPE_CHECKING:
    from afina.evaluate import Comparison
    from afina.store import Run

COSTS = ("seconds", "steps", "tokens", "peak_memory_bytes", "trainable_parameters")


def difference(first: Run, second: Run) -> dict[str, Any]:
    """The differences of two runs; scores only where both have them.

    ``refused``: why the scores are not compared (another test, or rows that were not kept); then
    ``difference`` and ``said`` are None. The sentence is about the judged score of the first run.
    Where a run has several tasks, ``tasks`` holds these for those that have the same sealed test: a run
    of one task beside one that learned it with others.
    """
    one, other = facts_of(first), facts_of(second)
    flat = [_flat(facts["recipe"]) for facts in (one, other)]
    keys = list(dict.fromkeys([*flat[0], *flat[1]]))
    pairs = _pairs(*(facts["report"] or {} for facts in (one, other)))
    found = {name: _of_one((first, second), *pair) for name, pair in pairs.items()}
    return {
        "runs": [first.id, second.id],
        "recipe": {
            key: [flat[0].get(key), flat[1].get(key)]
            for key in keys
            if flat[0].get(key) != flat[1].get(key)
        },
        **found.get("", {"tasks": found}),
        "verdicts": [(facts["report"] or {}).get("verdict") for facts in (one, other)],
        "train": {
            key: [(facts["train"] or {}).get(key) for facts in (one, other)] for key in COSTS
        },
    }


def _difference(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    kept = ("low", "high", "p_value", "test", "interval")
    return {"value": found.difference} | {key: getattr(found, key) for key in kept}


Report = Mapping[str, Any]


def _pairs(
    first: Report, second: Report
) -> dict[str, tuple[tuple[str, str], tuple[Report, Report]]]:
    """The tasks of two runs that belong together: their names and their reports."""
    from afina.evaluate import by_task

    one, other = by_task(first), by_task(second)
    if set(one) == set(other) == {""}:
        return {"": (("", ""), (first, second))}
    return {
        name or beside: ((name, beside), (own, theirs))
        for name, own in one.items()
        for beside, theirs in other.items()
        if _test(own) is not None and _test(own) == _test(theirs)
    }


def _test(report: Report) -> str | None:
    found: str | None = (report.get("test") or {}).get("sha256")
    return found


def _rows_file(task: str) -> str:
    from afina.evaluate import versus

    return f"rows-{task}.json" if task else versus.FILE


def _of_one(
    runs: tuple[Run, Run], names: tuple[str, str], reports: tuple[Report, Report]
) -> dict[str, Any]:
    """What two reports on one task say of each other; ``names``: of the task in each run."""
    from afina.evaluate import versus

    own, theirs = (tuned_scores(report) for report in reports)
    kept = [read_if_there(run, _rows_file(n)) for run, n in zip(runs, names, strict=True)]
    refused = versus.refusal(*kept)
    rigour: dict[str, Any] = {k: reports[0].get(k) for k in ("confidence", "resamples", "seed")}
    found = {} if refused else versus.versus(*kept, **rigour)
    metric = reports[0].get("metric")
    said = None
    if metric in found:
        ids = (runs[0].id, runs[1].id)
        said = versus.sentence(found[metric], metric, ids, rigour["confidence"])
    return {
        "refused": refused.say("en") if refused else None,
        "said": said.say("en") if said else None,
        "scores": {
            metric: {
                "first": one,
                "second": theirs[metric],
                "difference": _difference(found.get(metric)),
            }
            for metric, one in own.items()
            if metric in theirs
        },
    }


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """``{"train": {"epochs": 3}}`` as ``{"train.epochs": 3}``."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, below in value.items():
            found |= _flat(below, f"{key}.{name}" if key else str(name))
        return found
    return {key: value}
