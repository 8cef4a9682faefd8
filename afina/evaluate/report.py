"""The report as a value: scores with intervals, comparisons, a verdict, and what led to it.

``as_dict`` is the ``report`` object of ``--json`` and of report.json; ``from_dict`` reads it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from afina.evaluate.finding import Finding
from afina.evaluate.paired import Comparison
from afina.evaluate.statement import Statement

Verdict = Literal["ship", "hold", "unproven"]


@dataclass(frozen=True, slots=True)
class Score:
    """A value and the interval that holds the true one; ``high`` None where nothing bounds it."""

    value: float
    low: float
    high: float | None
    method: str = "bootstrap"


@dataclass(frozen=True)
class CandidateResult:
    """What one candidate reached. ``missing`` says why a score could not be taken.

    ``failure``: what, where and what to do, if it could not be measured at all (then no scores).
    """

    name: str
    scores: Mapping[str, Score] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        value: dict[str, Any] = {
            "name": self.name,
            "scores": {name: asdict(score) for name, score in self.scores.items()},
        }
        if self.missing:
            value["missing"] = dict(self.missing)
        if self.failure is not None:
            value["error"] = self.failure["what"]
            value["failure"] = dict(self.failure)
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> CandidateResult:
        """Read back what ``as_dict`` wrote."""
        return cls(
            name=value["name"],
            scores={name: Score(**score) for name, score in value["scores"].items()},
            missing=dict(value.get("missing", {})),
            failure=value.get("failure"),
        )


@dataclass(frozen=True)
class Report:
    """The outcome of an evaluation. All parts are plain values that JSON can hold.

    ``metric``: the judged score. ``goal``: metric, at_least and margin as judged. ``test``: rows,
    sha256. ``scorers``: name to better, unit, sentence. ``comparison``: against the baseline that
    is hardest to beat; ``comparisons``: against each. ``per_class`` and ``confusion``: by
    candidate, for labels. ``costs``: by candidate: open_seconds, seconds, seconds_per_request and
    requests_per_second (rows answered together), p50_seconds, p95_seconds and mean_seconds of ``timed``
    single requests, peak_memory_bytes and disk_bytes (None where not known), prompt_tokens and
    answer_tokens (means a request, 0 where there are no tokens), cut_off. ``points``: by candidate
    pairs of a right number and the given one, drawn from the test. ``findings``: what is said beside
    the judged score (``findings.FINDINGS``). ``expectations``: file, sha256 and rows of the file of
    expectations, what the tuned model ``failed``, and by candidate how many it failed (or the error);
    empty without such a file. ``probe``: the general probe before and after (``probe.Probed``); empty
    where none was asked. ``thresholds``: how those of the labels were chosen, and what the tuned
    model's errors cost a row with them and with the usual ones. ``rule_changes``: how the rule differs
    from the one written down before training.
    """

    metric: str
    verdict: Verdict
    reasons: tuple[Statement, ...]
    rule: Statement
    goal: Mapping[str, Any]
    tuned: str
    test: Mapping[str, Any]
    confidence: float
    resamples: int
    seed: int
    scorers: Mapping[str, Mapping[str, Any]]
    candidates: tuple[CandidateResult, ...]
    comparison: Comparison | None
    comparisons: tuple[Comparison, ...]
    costs: Mapping[str, Mapping[str, float]]
    per_class: Mapping[str, Any]
    confusion: Mapping[str, Any]
    samples: tuple[Mapping[str, Any], ...]
    samples_rule: Statement | None
    notes: tuple[Statement, ...]
    points: Mapping[str, Any] = field(default_factory=dict)
    expectations: Mapping[str, Any] = field(default_factory=dict)
    probe: Mapping[str, Any] = field(default_factory=dict)
    thresholds: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    rule_changes: tuple[Statement, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """The statistics of each row of the tuned model (``versus.keep``); no part of ``as_dict``."""

    def candidate(self, name: str) -> CandidateResult:
        """One candidate. Raises KeyError if none has that name."""
        for candidate in self.candidates:
            if candidate.name == name:
                return candidate
        raise KeyError(name)

    def as_dict(self) -> dict[str, Any]:
        """The ``report`` object of the contract, and more.

        ``reason``, ``rule`` and ``notes`` are English sentences; ``statements`` hold the same by
        code and values, for programs and other languages.
        """
        return {
            "metric": self.metric,
            "verdict": self.verdict,
            "reason": " ".join(reason.say("en") for reason in self.reasons),
            "rule": self.rule.say("en"),
            "rule_changes": [change.say("en") for change in self.rule_changes],
            "notes": [note.say("en") for note in self.notes],
            "goal": dict(self.goal),
            "tuned": self.tuned,
            "test": dict(self.test),
            "confidence": self.confidence,
            "resamples": self.resamples,
            "seed": self.seed,
            "scorers": {name: dict(facts) for name, facts in self.scorers.items()},
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "comparison": self.comparison.as_dict() if self.comparison else None,
            "comparisons": [comparison.as_dict() for comparison in self.comparisons],
            "costs": {name: dict(cost) for name, cost in self.costs.items()},
            "per_class": dict(self.per_class),
            "confusion": dict(self.confusion),
            "points": dict(self.points),
            "expectations": dict(self.expectations),
            "probe": dict(self.probe),
            "thresholds": dict(self.thresholds),
            "samples": [dict(sample) for sample in self.samples],
            "findings": [finding.as_dict() for finding in self.findings],
            "statements": {
                "reasons": [reason.as_dict() for reason in self.reasons],
                "rule": self.rule.as_dict(),
                "rule_changes": [change.as_dict() for change in self.rule_changes],
                "notes": [note.as_dict() for note in self.notes],
                "samples": self.samples_rule.as_dict() if self.samples_rule else None,
            },
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Report:
        """Read back what ``as_dict`` wrote."""
        comparison, said = value["comparison"], value["statements"]
        return cls(
            metric=value["metric"],
            verdict=value["verdict"],
            reasons=tuple(Statement.from_dict(r) for r in said["reasons"]),
            rule=Statement.from_dict(said["rule"]),
            goal=value["goal"],
            tuned=value["tuned"],
            test=value["test"],
            confidence=value["confidence"],
            resamples=value["resamples"],
            seed=value["seed"],
            scorers=value["scorers"],
            candidates=tuple(CandidateResult.from_dict(c) for c in value["candidates"]),
            comparison=Comparison.from_dict(comparison) if comparison else None,
            comparisons=tuple(Comparison.from_dict(c) for c in value["comparisons"]),
            costs=value["costs"],
            per_class=value["per_class"],
            confusion=value["confusion"],
            samples=tuple(value["samples"]),
            samples_rule=Statement.from_dict(said["samples"]) if said["samples"] else None,
            notes=tuple(Statement.from_dict(n) for n in said["notes"]),
            points=value.get("points", {}),
            expectations=value.get("expectations", {}),
            probe=value.get("probe", {}),
            thresholds=value.get("thresholds", {}),
            rule_changes=tuple(Statement.from_dict(c) for c in said.get("rule_changes", ())),
            findings=tuple(Finding.from_dict(f) for f in value.get("findings", ())),
        )
