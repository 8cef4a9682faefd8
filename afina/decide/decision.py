"""The decision as a value: what was measured, what follows from it, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from afina.decide.bases import Ranked
from afina.decide.costs import BreakEven, Running
from afina.decide.curve import Curve
from afina.decide.rule import Recommendation
from afina.decide.trial import Trial
from afina.decide.words import Said
from afina.evaluate import Report
from afina.retrieval import HitRate


@dataclass(frozen=True)
class Decision:
    """All that ``afina decide`` found. ``report`` is of the best trial against every other way."""

    fingerprint: str
    recommendation: Recommendation
    report: Report
    kinds: Mapping[str, str]
    running: Mapping[str, Running]
    facts: Mapping[str, Mapping[str, Any]]
    rows: Mapping[str, Any]
    trials: tuple[Trial, ...]
    failed_trials: tuple[Said, ...]
    curve: Curve | None
    methods: tuple[Mapping[str, Any], ...]
    bases: tuple[Ranked, ...]
    hits: HitRate | None
    break_even: BreakEven | None
    costs: Mapping[str, Any]
    notes: tuple[Said, ...]
    assumptions: tuple[Said, ...]
    seconds: float
    made: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    def as_dict(self) -> dict[str, Any]:
        """The one object of ``--json`` and of decision.json."""
        told = self.recommendation
        return {
            "decision": told.verdict,
            "way": told.way,
            "reason": " ".join(reason.say("en") for reason in told.reasons),
            "fingerprint": self.fingerprint,
            "made": self.made,
            "metric": self.report.metric,
            "unit": self.report.scorers[self.report.metric]["unit"],
            "goal": dict(self.report.goal),
            "rule": Said("rule").say("en"),
            "rows": dict(self.rows),
            "ways": [self._way(name) for name in self.kinds],
            "comparisons": [c.as_dict() for c in self.report.comparisons],
            "tuned": self.report.tuned,
            "trials": [trial.as_dict() for trial in self.trials],
            "curve": self.curve.as_dict() if self.curve else None,
            "methods": [dict(one) for one in self.methods],
            "bases": [base.as_dict() for base in self.bases],
            "hit_rate": self.hits.as_dict() if self.hits else None,
            "break_even": self.break_even.as_dict() if self.break_even else None,
            "costs": dict(self.costs),
            "seconds": round(self.seconds, 3),
            "statements": {
                "rule": Said("rule").as_dict(),
                "reasons": [said.as_dict() for said in told.reasons],
                "failed": [said.as_dict() for said in self.failed_trials],
                "notes": [said.as_dict() for said in self.notes],
                "assumptions": [said.as_dict() for said in self.assumptions],
            },
        }

    def _way(self, name: str) -> dict[str, Any]:
        value = self.report.candidate(name).as_dict() | {"kind": self.kinds[name]}
        if name in self.running:
            own = self.running[name]
            value |= {
                "latency_seconds": {"p50": own.latency.p50, "p95": own.latency.p95},
                "prompt_tokens": own.prompt_tokens,
                "answer_tokens": own.answer_tokens,
                "cost_per_1000": own.cost_per_1000,
                "hosted": own.hosted,
            }
        facts = self.facts.get(name, {})
        value["what"] = str(facts.get("what", ""))
        value |= {
            k: facts[k] for k in ("instruction", "trials", "retrieval", "notes") if k in facts
        }
        return value
