"""The untuned base with the prompt that the tuned model gets: nothing told, nothing shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from afina.baselines.prompting import load_decoder
from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.types import Example

if TYPE_CHECKING:
    from afina.models.predictor import TunedModel


class Untuned(Fitted):
    """The base behind the tuned model's own prompt; a Likelihood too."""

    def __init__(self, model: TunedModel, facts: Facts) -> None:
        super().__init__("base", facts, model.predict)
        self.negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
        self.negative_log_likelihood = model.negative_log_likelihood


def build(request: Request) -> Baseline:
    """The base itself: what a run is measured against that moves what the base says already. For a
    task that scores answers, the more probable one is the better one."""
    from afina.models.predictor import TunedModel

    model = load_decoder(request, "base")
    tuned = TunedModel(model, name="base", batch_size=request.settings.batch_size)
    return Untuned(tuned, Facts(f"{model.base.name} untuned, asked as the tuned model is"))
