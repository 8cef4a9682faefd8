"""The untuned base, told what to do in a sentence and shown a few training rows."""

from __future__ import annotations

from afina.baselines.prompting import build_prompted
from afina.baselines.request import Baseline, Request


def build(request: Request) -> Baseline:
    """A decoder gets ``evaluate.few_shot`` typical rows, the same before every question. An encoder
    takes the nearest middle of that many rows of each label."""
    return build_prompted(request, "few_shot", request.settings.few_shot)
