"""What the verdict will be judged by, written down before training, and what has changed since.

A goal that is moved once the test has been looked at proves nothing. So the rule stands in the run's
folder from its beginning, its hash in the run's events, and a report made by another rule says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from afina.evaluate.scorers import SCORERS
from afina.evaluate.statement import Statement
from afina.evaluate.verdict import rule_of
from afina.recipe import Evaluate, Goal

DECIDES = ("baselines", "scorers", "confidence", "resamples", "tests", "probe")
"""Knobs of ``evaluate`` that a verdict depends on."""


def stated(goal: Goal | None, settings: Evaluate, **facts: Any) -> dict[str, Any]:
    """Everything that the verdict depends on beside the answers, as plain values.

    ``facts``: what else it depends on (the seed, the hash of the test).
    """
    wished = settings.model_dump(mode="json")
    told: dict[str, Any] = {f"evaluate.{key}": wished[key] for key in DECIDES}
    target = {} if goal is None else goal.model_dump(mode="json")
    told |= {f"goal.{key}": target.get(key) for key in Goal.model_fields}
    if goal is not None and goal.metric in SCORERS:
        asked = settings.baselines is None or bool(settings.baselines)
        sentence = rule_of(SCORERS[goal.metric], goal, settings.confidence, asked)
        told["rule"] = sentence.say("en")
    return told | facts


def sha256_of(told: Mapping[str, Any]) -> str:
    """SHA-256 of what was stated, in hexadecimal."""
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def changed(
    before: Mapping[str, Any] | None, noted_sha256: str, now: Mapping[str, Any], openings: int
) -> tuple[Statement, ...]:
    """What differs between the rule that was written down and the one of this evaluation.

    ``noted_sha256``: the hash that the run's events hold. ``openings``: how often the test had been
    opened before.
    """
    if before is None or not noted_sha256:
        return (Statement("rule_unwritten"),)
    if sha256_of(before) != noted_sha256:
        return (Statement("rule_edited"),)
    differing = [key for key in {**before, **now} if before.get(key) != now.get(key)]
    if len(differing) > 1 and "rule" in differing:
        differing.remove("rule")  # the sentence follows from the figures
    code = "rule_changed_open" if openings else "rule_changed"
    return tuple(
        Statement(
            code,
            {
                "key": key,
                "before": _plain(before.get(key)),
                "after": _plain(now.get(key)),
                "openings": openings,
            },
        )
        for key in differing
    )


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
