"""Frozen vectors: pooled as the base was made for, whatever the batch, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from afina.errors import ModelError
from afina.models.embed import Embedder
from afina.models.sources import Base
from tests.tiny import CONTEXT_LENGTH, KINDS, LINES, Kind

Tiny = Callable[[Kind], Base]


def by_hand(base: Base, text: str, pooling: str) -> np.ndarray:
    network = AutoModel.from_pretrained(base.folder).eval()
    ids = AutoTokenizer.from_pretrained(base.folder)(text, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        states = network(ids, attention_mask=torch.ones_like(ids))[0][0]
    picked = {"mean": states.mean(0), "first": states[0], "last": states[-1]}[pooling]
    return np.asarray(picked.numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", ["mean", "first", "last"])
def test_vectors_are_those_of_transformers(tiny: Tiny, kind: Kind, pooling: str) -> None:
    base = tiny(kind)
    found = Embedder.open(base, pooling=pooling).vectors(LINES)
    assert found.dtype == np.float32
    assert found.shape == (len(LINES), base.hidden_size)
    for i in (0, 4):
        np.testing.assert_allclose(found[i], by_hand(base, LINES[i], pooling), atol=1e-5)


def test_the_pooling_is_the_bases_own(tiny: Tiny) -> None:
    base = tiny("minilm")
    assert base.pooling == "mean"
    found = Embedder.open(base).vectors(LINES[:1])
    np.testing.assert_allclose(found[0], by_hand(base, LINES[0], "mean"), atol=1e-5)
    first = Embedder.open(replace(base, pooling="first")).vectors(LINES[:1])
    np.testing.assert_allclose(first[0], by_hand(base, LINES[0], "first"), atol=1e-5)


def test_a_bases_prompt_stands_before_every_text(tiny: Tiny) -> None:
    base = tiny("minilm")
    asks = Embedder.open(replace(base, prompts=(("passage", "answer: "), ("query", "good: "))))
    plain = Embedder.open(base).vectors(["good: red"])
    np.testing.assert_allclose(asks.vectors(["red"]), plain, atol=1e-6)


def test_order_repetition_and_length_one(tiny: Tiny) -> None:
    embedder = Embedder.open(tiny("minilm"))
    texts = [*LINES, LINES[2], *reversed(LINES)]
    found = embedder.vectors(texts, normalised=True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    np.testing.assert_array_equal(found[2], found[len(LINES)])
    for text, vector in zip(texts, found, strict=True):
        alone = embedder.vectors([text], normalised=True)[0]
        np.testing.assert_allclose(vector, alone, atol=1e-5)
    assert embedder.vectors([]).shape == (0, 32)


def test_vectors_are_kept_and_a_broken_file_is_made_anew(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder = Embedder.open(tiny("minilm"))
    first = embedder.vectors(LINES, cache=tmp_path)
    (kept,) = tmp_path.iterdir()
    worked: list[int] = []
    original = Embedder._work

    def counted(self: Embedder, texts: list[str]) -> np.ndarray:
        worked.append(len(texts))
        return original(self, texts)

    monkeypatch.setattr(Embedder, "_work", counted)
    np.testing.assert_array_equal(embedder.vectors(LINES, cache=tmp_path), first)
    assert worked == []
    embedder.vectors(LINES[:3], cache=tmp_path)
    embedder.vectors(LINES, normalised=True, cache=tmp_path)
    Embedder.open(tiny("minilm"), pooling="last").vectors(LINES, cache=tmp_path)
    Embedder.open(tiny("bert")).vectors(LINES, cache=tmp_path)
    assert worked == [3, 8, 8, 8], "other texts, length, pooling or base have other vectors"
    for broken in (b"", kept.read_bytes()[:-10], b"not an array"):
        kept.write_bytes(broken)
        np.testing.assert_array_equal(embedder.vectors(LINES, cache=tmp_path), first)
    assert len(worked) == 7
    assert not list(tmp_path.glob("*.partial"))


def test_a_text_that_does_not_fit_is_refused(tiny: Tiny) -> None:
    embedder = Embedder.open(tiny("minilm"))
    with pytest.raises(ModelError, match=f"takes {CONTEXT_LENGTH}"):
        embedder.vectors(["short", "red " * CONTEXT_LENGTH])
    with pytest.raises(ModelError, match="no tokens"):
        Embedder.open(tiny("gpt2")).vectors([""])
