"""The untuned base with a few training rows drawn at random: what choosing them well adds to."""

from __future__ import annotations

import numpy as np

from afina.baselines.prompting import first_that_fits, load_decoder
from afina.baselines.request import Baseline, Request
from afina.types import Example


def build(request: Request) -> Baseline:
    """``evaluate.few_shot`` rows by the seed, the same before every question."""
    name = "few_shot_random"
    wished = request.settings.few_shot
    model = load_decoder(request, name)
    return first_that_fits(
        request, model, name, random_shots(request, wished, request.seed), wished
    )


def random_shots(request: Request, count: int, seed: int) -> list[Example]:
    """Training rows drawn without replacement."""
    order = np.random.default_rng(seed).permutation(len(request.train))[:count]
    return [request.train[i] for i in order]
