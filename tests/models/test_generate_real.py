"""Real weights: the answers that one would expect, batched and piece by piece."""

from __future__ import annotations

import pytest

from afina.models.embed import Embedder
from afina.models.generate import generate, stream
from afina.models.load import load
from afina.models.sampling import Sampling
from afina.models.sources import resolve
from afina.tasks import Generate
from afina.types import Message

pytestmark = pytest.mark.slow


def test_smollm2_knows_its_capitals() -> None:
    model = load(resolve("HuggingFaceTB/SmolLM2-135M-Instruct"), Generate())
    asked = ("What is the capital of France?", "What is the capital of Spain, in one word?")
    prompts = [model.renderer.prompt((Message("user", text),)) for text in asked]
    sampling = Sampling(24)
    together = generate(model, prompts, sampling)
    assert "Paris" in together[0].text
    assert "Madrid" in together[1].text
    for prompt, written in zip(prompts, together, strict=True):
        assert generate(model, [prompt], sampling)[0].ids == written.ids
        assert "".join(p.text for p in stream(model, prompt, sampling)) == written.text


def test_minilm_puts_like_meanings_together() -> None:
    embedder = Embedder.open(resolve("sentence-transformers/all-MiniLM-L6-v2"))
    texts = ["I lost my card", "My bank card is missing", "It will rain tomorrow"]
    near, alike, far = embedder.vectors(texts, normalised=True)
    assert float(near @ alike) > 0.6 > 0.3 > float(near @ far)
