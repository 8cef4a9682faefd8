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
    """
    from afina.evaluate import versus

    one, other = facts_of(first), facts_of(second)
    own, theirs = (tuned_scores(facts["report"] or {}) for facts in (one, other))
    flat = [_flat(facts["recipe"]) for facts in (one, other)]
    keys = list(dict.fromkeys([*flat[0], *flat[1]]))
    reports = [facts["report"] or {} for facts in (one, other)]
    kept = [read_if_there(run, versus.FILE) for run in (first, second)]
    refused = versus.refusal(*kept)
    rigour: dict[str, Any] = {k: reports[0].get(k) for k in ("confidence", "resamples", "seed")}
    found = {} if refused else versus.versus(*kept, **rigour)
    metric = reports[0].get("metric")
    said = None
    if metric in found:
        said = versus.sentence(found[metric], metric, (first.id, second.id), rigour["confidence"])
    return {
        "runs": [first.id, second.id],
        "recipe": {
            key: [flat[0].get(key), flat[1].get(key)]
            for key in keys
            if flat[0].get(key) != flat[1].get(key)
        },
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
        "verdicts": [report.get("verdict") for report in reports],
        "train": {
            key: [(facts["train"] or {}).get(key) for facts in (one, other)] for key in COSTS
        },
    }


def _difference(found: Comparison | None) -> dict[str, Any] | None:
    if found is None:
        return None
    kept = ("low", "high", "p_value", "test", "interval")
    return {"value": found.difference} | {key: getattr(found, key) for key in kept}


def _flat(value: Any, key: str = "") -> dict[str, Any]:
    """``{"train": {"epochs": 3}}`` as ``{"train.epochs": 3}``."""
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for name, below in value.items():
            found |= _flat(below, f"{key}.{name}" if key else str(name))
        return found
    return {key: value}
