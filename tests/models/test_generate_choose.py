"""The probability of options, by the tree and row by row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from afina.errors import ModelError, RequestError
from afina.models import choose as choosing
from afina.models.choose import choose, write_one
from afina.models.load import Model, load
from afina.models.sources import Base
from afina.tasks import Generate
from afina.types import Message
from tests.tiny import CONTEXT_LENGTH, DECODERS, LINES, SLIDING_WINDOW, Kind

Tiny = Callable[[Kind], Base]
LABELS = ("lost", "lost card", "lost cap", "red", "red green blue", "x")


@pytest.fixture(scope="module", params=DECODERS)
def model(request: pytest.FixtureRequest, tiny: Tiny) -> Model:
    return load(tiny(request.param), Generate())


def options(model: Model) -> list[tuple[int, ...]]:
    (end,) = model.renderer.stop_ids
    return [(*model.renderer.text(label), end) for label in LABELS]


def asked(model: Model) -> list[tuple[int, ...]]:
    head = Message("system", "Answer with one word of the list.")
    return [model.renderer.prompt((head, Message("user", line))) for line in LINES]


def by_hand(model: Model, prompt: tuple[int, ...], option: tuple[int, ...]) -> float:
    with torch.no_grad():
        logits = model.network.core(torch.tensor([[*prompt, *option]])).logits[0].log_softmax(-1)
    return sum(float(logits[len(prompt) - 1 + i, token]) for i, token in enumerate(option))


def test_scores_are_the_sums_of_log_probabilities(model: Model) -> None:
    prompts = asked(model)
    found = choose(model, prompts, options(model), batch_size=3)
    assert found.shape == (len(prompts), len(LABELS))
    for i in (0, 3, 7):
        expected = [by_hand(model, prompts[i], option) for option in options(model)]
        assert found[i] == pytest.approx(expected, abs=1e-4)


def test_the_tree_and_single_rows_agree(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    # Within the tiny Gemma's window, so that all three take the tree.
    prompts = [p[: SLIDING_WINDOW - 6] for p in asked(model)]
    short = [(*option[:3], option[-1]) for option in options(model)]
    assert choosing._tree_fits(model, prompts, max(map(len, short)))
    by_tree = choose(model, prompts, short)
    monkeypatch.setattr(choosing, "_tree_fits", lambda *_: False)
    np.testing.assert_allclose(by_tree, choose(model, prompts, short), atol=1e-4)


def test_per_token_divides_by_the_length(model: Model) -> None:
    prompts = asked(model)[:2]
    lengths = np.array([len(option) for option in options(model)])
    whole = choose(model, prompts, options(model))
    np.testing.assert_allclose(
        choose(model, prompts, options(model), per_token=True), whole / lengths
    )


def test_what_is_written_is_the_best_token_that_goes_on_an_option(model: Model) -> None:
    prompts, given = asked(model), options(model)
    found = write_one(model, prompts, given, batch_size=3)
    for prompt, chosen in zip(prompts, found, strict=True):
        written: tuple[int, ...] = ()
        while written not in given:
            with torch.no_grad():
                scores = model.network.core(torch.tensor([[*prompt, *written]])).logits[0, -1]
            on = {o[len(written)] for o in given if o[: len(written)] == written}
            written = (*written, max(on, key=lambda token: float(scores[token])))
        assert given[chosen] == written
    assert write_one(model, [], given) == []


def test_what_cannot_be_chosen_is_refused(model: Model) -> None:
    with pytest.raises(RequestError):
        choose(model, [(5,)], [])
    with pytest.raises(RequestError):
        choose(model, [(5,)], [(5,), ()])
    with pytest.raises(ModelError, match="tokens"):
        choose(model, [(5,) * (CONTEXT_LENGTH - 2)], [(5, 6, 7, 8)])
    assert choose(model, [], [(5,)]).shape == (0, 1)
