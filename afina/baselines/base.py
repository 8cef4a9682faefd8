"""The untuned base with the prompt that the tuned model gets: nothing told, nothing shown."""

from __future__ import annotations

from afina.baselines.prompting import Prompted, load_decoder, prompted
from afina.baselines.request import Baseline, Facts, Request


def build(request: Request) -> Baseline:
    """The base itself: what a run is measured against that moves what the base says already."""
    model = load_decoder(request, "base")
    predictor = prompted(request, model, "base", "", ())
    return Prompted(predictor, Facts(f"{model.base.name} untuned, asked as the tuned model is"))
