"""What a reader should know beside the verdict: each remark follows from a figure of the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from afina.evaluate.asking import Measured
from afina.evaluate.preference import REFERENCE
from afina.evaluate.report import CandidateResult
from afina.evaluate.statement import Statement
from afina.evaluate.verdict import Judged
from afina.tasks.thresholds import LEAST

SIMPLE = (
    "majority",
    "linear",
    "embedding_linear",
    "nearest",
    "mean",
    "ridge",
    "embedding_ridge",
    "gazetteer",
    "word_linear",
    "sentence",
)
"""Baselines that train no network: if one of them is as good, tuning was not needed."""
PROMPTED = ("few_shot", "zero_shot")
"""Baselines that spend prompt tokens on instructions, the longest prompt first."""
NO_REFERENCE = Statement("no_reference", {"candidate": REFERENCE})
"""Why a candidate that answered has no score that compares it with the reference."""
FEW_ROWS = 30
FEW_ROWS_IN_CLASS = 5


def collect(
    judged: Judged,
    results: Sequence[CandidateResult],
    costs: Mapping[str, Mapping[str, float]],
    classes: Mapping[str, Any],
    measured: Sequence[Measured],
    left_out: int = 0,
    tested: Mapping[str, Any] | None = None,
    thresholds: Mapping[str, Any] | None = None,
) -> tuple[Statement, ...]:
    """All remarks, the weightiest first."""
    out = Statement("left_out", {"rows": left_out, "all": judged.rows + left_out})
    gate = {"file": tested["file"], "tuned": judged.tuned} if tested else {}
    return (
        *((Statement("rule_tests", gate),) if gate else ()),
        *((Statement("tests_changed", gate),) if tested and tested["changed"] else ()),
        *((out,) if left_out else ()),
        *_thresholds(judged, thresholds or {}),
        *_simple(judged, costs),
        *_failures(judged, results, measured),
        *_goal(judged),
        *_rows(judged, classes),
        *_tokenizers(judged, measured),
        *_cut_off(costs),
        *_cut_inputs(measured),
        *_tokens(judged, costs),
    )


def _simple(judged: Judged, costs: Mapping[str, Mapping[str, float]]) -> Iterator[Statement]:
    """The cheap baseline that is not shown to be worse (whatever the goal's margin)."""
    for comparison in judged.comparisons:
        low, _, _ = judged.advantage(comparison)
        worse = low > 0 and comparison.p_value <= 1 - judged.confidence
        if comparison.baseline in SIMPLE and not worse:
            yield Statement(
                "simple_solves",
                judged.values(
                    comparison,
                    seconds=costs[judged.tuned]["seconds_per_request"],
                    other_seconds=costs[comparison.baseline]["seconds_per_request"],
                ),
            )


def _failures(
    judged: Judged, results: Sequence[CandidateResult], measured: Sequence[Measured]
) -> Iterator[Statement]:
    """``told`` holds the reason by code and values, where it has them."""
    silent = {m.name: m.no_likelihood for m in measured}
    for result in results:
        values: dict[str, Any] = {"candidate": result.name}
        if result.failure is not None:
            told = result.failure.get("told")
            values |= {"what": result.failure["what"]} | ({"told": told} if told else {})
            yield Statement("failed", values)
        elif judged.scorer.name in result.missing:
            reason = silent.get(result.name) or NO_REFERENCE
            values |= {"what": result.missing[judged.scorer.name], "metric": judged.scorer.name}
            yield Statement("not_comparable", values | {"told": reason.as_dict()})


def _goal(judged: Judged) -> Iterator[Statement]:
    own = judged.scores[judged.tuned]
    if judged.at_least is None or not judged.asked:
        return
    reached = judged.scorer.sign * (own.value - judged.at_least) >= 0
    if judged.scorer.sign > 0 and reached and own.low < judged.at_least:
        yield Statement("goal_near", judged.values())
    if judged.scorer.sign < 0 and reached and (own.high is None or own.high > judged.at_least):
        yield Statement("goal_near_lower", judged.values())


def _rows(judged: Judged, classes: Mapping[str, Any]) -> Iterator[Statement]:
    if judged.rows < FEW_ROWS:
        yield Statement("few_rows", {"rows": judged.rows})
    table = classes.get(judged.tuned, ())
    few = sum(row["support"] < FEW_ROWS_IN_CLASS for row in table)
    if few and judged.scorer.name.startswith("macro_"):
        values = {"classes": few, "all": len(table), "least": FEW_ROWS_IN_CLASS}
        yield Statement("few_rows_in_class", values)


def _thresholds(judged: Judged, found: Mapping[str, Any]) -> Iterator[Statement]:
    """What was chosen, what it saves, and where nothing could be chosen."""
    lines = found.get("labels", ())
    chosen = [line for line in lines if line["why"] == "chosen"]
    if chosen:
        labels = ", ".join(f"{line['label']} {line['threshold']:.3g}" for line in chosen)
        values = {"rows": chosen[0]["rows"], "labels": labels}
        yield Statement("thresholds", values)
        if "cost" in found:
            values = {"cost": found["cost"], "usual": found["cost_at_usual"], "tuned": judged.tuned}
            yield Statement("thresholds_cost", values)
    for line in lines:
        values = {"label": line["label"], "rows": line["rows"], "positives": line["positives"]}
        if line["why"] == "too_few":
            yield Statement("threshold_too_few", {**values, "least": LEAST})
        elif line["why"] == "out_of_reach":
            precision = line["wanted"]["precision"]
            yield Statement("threshold_out_of_reach", {**values, "precision": precision})


def _tokenizers(judged: Judged, measured: Sequence[Measured]) -> Iterator[Statement]:
    totals = {m.name: sum(tokens for _, tokens in m.likelihoods) for m in measured if m.likelihoods}
    own = totals.get(judged.tuned)
    others = [name for name, tokens in totals.items() if tokens != own]
    if own is not None and others:
        yield Statement("tokenizers", {"names": ", ".join([judged.tuned, *others])})


def _cut_off(costs: Mapping[str, Mapping[str, float]]) -> Iterator[Statement]:
    for name, cost in costs.items():
        if cost["cut_off"]:
            yield Statement("cut_off", {"candidate": name, "answers": int(cost["cut_off"])})


def _cut_inputs(measured: Sequence[Measured]) -> Iterator[Statement]:
    for found in measured:
        rows = sum(answer.cut_tokens > 0 for answer in found.answers)
        if rows:
            values = {"candidate": found.name, "rows": rows, "all": len(found.answers)}
            yield Statement("cut_inputs", values)


def _tokens(judged: Judged, costs: Mapping[str, Mapping[str, float]]) -> Iterator[Statement]:
    own = costs[judged.tuned]["prompt_tokens"]
    for name in PROMPTED:
        other = costs.get(name, {}).get("prompt_tokens", 0.0)
        if own and other > own:
            saved = other - own
            values = {"baseline": name, "tuned": judged.tuned, "saved": saved}
            yield Statement("tokens_saved", values | {"share": saved / other})
            return
