"""Text as tokens come: whole characters, no part of a stop text, nothing lost."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.models.detokenise import StopText, TextStream
from afina.models.load import load_renderer
from afina.models.render import ChatRenderer
from afina.models.sources import Base
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


@pytest.fixture(scope="module")
def renderer(tiny: Tiny) -> ChatRenderer:
    return load_renderer(tiny("llama"))


def pieces(renderer: ChatRenderer, ids: list[int]) -> list[str]:
    text = TextStream(renderer)
    return [*(text.push(i) for i in ids), text.rest()]


@pytest.mark.parametrize("text", ["añil ñandú €5 😀🇪🇸 日本語", "a b  c\n\n d", "👩‍👩‍👧 é", "plain"])
def test_characters_are_whole(renderer: ChatRenderer, text: str) -> None:
    ids = list(renderer.text(text))
    shown = pieces(renderer, ids)
    assert "".join(shown) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in shown)


def test_random_tokens_lose_nothing(renderer: ChatRenderer) -> None:
    chance = random.Random(0)
    for _ in range(150):
        ids = [chance.randrange(len(renderer.tokenizer)) for _ in range(chance.randint(1, 30))]
        assert "".join(pieces(renderer, ids)) == renderer.decode(ids)


def test_most_text_is_shown_at_once(renderer: ChatRenderer) -> None:
    ids = list(renderer.text("The capital of France is Paris"))
    assert all(pieces(renderer, ids)[:-1])


@given(
    text=st.text(alphabet="ab\n", max_size=30),
    stops=st.lists(st.text(alphabet="ab\n", min_size=1, max_size=4), max_size=4),
    cuts=st.lists(st.integers(0, 30), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_stop_texts_cut_the_same_however_the_text_comes(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    places = [text.find(stop) for stop in stops if stop in text]
    stop = StopText(stops)
    shown = ""
    edges = sorted({0, len(text), *(c for c in cuts if c <= len(text))})
    for start, end in pairwise(edges):
        shown += stop.push(text[start:end])
        if stop.hit:
            break
    if not stop.hit:
        shown += stop.rest()
    assert stop.hit == bool(places)
    if not places:
        assert shown == text
    else:
        # Of two that overlap, the one that is complete first ends the answer.
        assert text.startswith(shown)
        assert any(text[len(shown) :].startswith(s) for s in stops)
