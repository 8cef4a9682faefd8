"""What each way costs: a thousand requests, the training before them, the labelling before that.

All amounts are euros and follow from measured seconds and tokens and from prices that the recipe
states or assumes (``decide``); they are as good as those.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from afina.evaluate.latency import Latency
from afina.recipe import Decide

HOSTED = ("prompt", "documents")
"""Kinds that a hosted model can answer; what was trained here, or needs no model, runs here."""


@dataclass(frozen=True)
class Running:
    """A way at work: seconds of single requests, mean tokens, euros for 1,000 requests."""

    latency: Latency
    prompt_tokens: float
    answer_tokens: float
    cost_per_1000: float
    hosted: bool


@dataclass(frozen=True)
class BreakEven:
    """From how many requests on tuning has paid for itself against another way; None: never.

    ``saved_per_1000`` may be below 0: then only the quality can be worth it.
    """

    against: str
    saved_per_1000: float
    requests: int | None
    requests_with_labelling: int | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def running(kind: str, latency: Latency, measured: Mapping[str, float], prices: Decide) -> Running:
    """The cost of a way from its latency and the evaluation's mean tokens a request."""
    prompt, answer = measured["prompt_tokens"], measured["answer_tokens"]
    here = 1000 * latency.mean / 3600 * prices.hour_price
    if prices.prompt_price is None or prices.answer_price is None or kind not in HOSTED:
        return Running(latency, prompt, answer, here, hosted=False)
    there = 1000 * (prompt * prices.prompt_price + answer * prices.answer_price) / 1e6
    return Running(latency, prompt, answer, there, hosted=True)


def training_cost(seconds: float, prices: Decide) -> float:
    return seconds / 3600 * prices.hour_price


def labelling_hours(rows: int, prices: Decide) -> float:
    return rows * prices.label_seconds / 3600


def break_even(
    against: str, other: Running, tuned: Running, training: float, labelling: float
) -> BreakEven:
    """Requests after which what a request saves has paid the training (and the labelling)."""
    saved = other.cost_per_1000 - tuned.cost_per_1000

    def after(cost: float) -> int | None:
        return math.ceil(1000 * cost / saved) if saved > 0 else None

    return BreakEven(against, saved, after(training), after(training + labelling))
