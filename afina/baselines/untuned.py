"""The untuned base asked as the tuned model will be: for bases that take no prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from afina.baselines.request import Baseline, Facts, Fitted, Request
from afina.types import Example


def build_untuned(request: Request, name: str) -> Baseline:
    """An encoder-decoder, with the task's own prefix before every source; also a Likelihood."""
    from afina.models.load import load
    from afina.models.predictor import TunedModel

    base = request.the_base(name)
    model = load(base, request.task, None, **request.loading())
    asked = TunedModel(model, name=name, batch_size=request.settings.batch_size)
    baseline = Untuned(name, Facts(f"{base.name} untuned"), asked.predict)
    baseline.negative_log_likelihood = asked.negative_log_likelihood
    return baseline


class Untuned(Fitted):
    """A Likelihood besides."""

    negative_log_likelihood: Callable[[Sequence[Example]], list[tuple[float, int]]]
