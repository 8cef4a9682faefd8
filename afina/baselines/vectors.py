"""The untuned base, asked as the tuned model is: the nearest texts in its own vectors."""

from __future__ import annotations

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.tasks import Matched


def build(request: Request) -> Baseline:
    """Pooled as the tuned model's, with the words that the base wants before queries and texts."""
    from afina.models.load import load
    from afina.models.predictor import TunedModel

    request.of(Matched, "vectors", "ranks texts")
    base = request.the_base("vectors")
    asked = TunedModel(load(base, request.task, None, **request.loading()), name="vectors")
    return Fitted("vectors", Facts(f"the vectors of {base.name}, untuned"), asked.predict)
