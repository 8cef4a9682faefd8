"""The untuned base, told what to do in a sentence."""

from __future__ import annotations

from afina.baselines.prompting import build_prompted
from afina.baselines.request import Baseline, Request


def build(request: Request) -> Baseline:
    """A decoder gets the task's system message and one sentence on the form of the answer; for
    labels it takes the most probable of them. An encoder takes the nearest label name."""
    return build_prompted(request, "zero_shot", 0)
