"""Tagging: alignment of words and pieces, decoding, and what is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from afina.errors import DataError, ModelError
from afina.models.load import load, load_renderer
from afina.models.predictor import TunedModel
from afina.models.sources import Base
from afina.tasks import Tag
from afina.tasks.words import words
from afina.types import IGNORED, Input, Message, Span, TaggedExample
from tests.tiny import CONTEXT_LENGTH, Kind

TEXT = "In Madrid, the kitchen (two) of Zzyzx."
SPANS = (Span(3, 9, "LOC", "Madrid"), Span(32, 37, "LOC", "Zzyzx"), Span(15, 27, "X", ""))
KINDS: tuple[Kind, ...] = ("bert", "gpt2", "llama")


def row(text: str, *spans: Span) -> TaggedExample:
    return TaggedExample(id="1", where="row 1", text=text, spans=spans)


TASK = Tag().resolve([row(TEXT, *SPANS)])


def asked(text: str) -> Input:
    return Input((Message("user", text),))


@pytest.mark.parametrize("kind", KINDS)
def test_each_word_has_its_tag_on_its_first_piece(kind: Kind, tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny(kind))
    example = row(TEXT, *sorted(SPANS, key=lambda s: s.start))
    encoded = TASK.encode(example, renderer)
    (window,) = TASK.windows(asked(TEXT), renderer)
    assert encoded.ids == window.ids
    assert [(s, e) for _, s, e in window.places] == list(words(TEXT))
    tokens = [t for t, _, _ in window.places]
    assert tokens == sorted(set(tokens)), "no two words share a piece"
    named = {i: TASK.names[t] for i, t in enumerate(encoded.targets) if t != IGNORED}
    assert list(named) == tokens
    tags = ["O", "B-LOC", "O", "O", "B-X", "I-X", "I-X", "O", "O", "B-LOC", "O"]
    assert list(named.values()) == tags
    for token, start, _ in window.places:
        piece = str(renderer.tokenizer.decode([window.ids[token]])).strip()
        assert piece == "[UNK]" or TEXT[start:].lower().startswith(piece.lower()[:1])


def test_text_with_or_without_spaces_is_the_same_to_the_model(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("llama"))
    spaced = " ".join(TEXT[s:e] for s, e in words(TEXT))
    assert spaced != TEXT
    assert TASK.prompt(asked(spaced), renderer) == TASK.prompt(asked(TEXT), renderer)


def test_a_word_of_which_nothing_is_left_breaks_no_name(tiny: Callable[[Kind], Base]) -> None:
    renderer = load_renderer(tiny("bert"))
    text = "red\u0007green door"
    (window,) = TASK.windows(asked(text), renderer)
    assert [text[s:e] for _, s, e in window.places] == ["red", "green", "door"]
    x = TASK.names.index("B-X")
    inside = TASK.names.index("I-X")
    scores = [
        [10.0 if i == want else 0.0 for i in range(len(TASK.names))] for want in (x, inside, 0)
    ]
    (span,) = TASK.from_windows(asked(text), [window], [scores]).spans or ()
    assert (span.start, span.end, span.text) == (0, 9, "red\u0007green")
    assert 0.99 < (span.score or 0) < 1


def test_scores_do_not_depend_on_the_batch(tiny: Callable[[Kind], Base]) -> None:
    tuned = TunedModel(load(tiny("bert"), TASK))
    texts = [TEXT, "red", "In Madrid, one two three"]
    together = tuned.predict([asked(t) for t in texts])
    alone = [tuned.predict([asked(t)])[0] for t in texts]
    for one, other in zip(together, alone, strict=True):
        assert [s.key for s in one.spans or ()] == [s.key for s in other.spans or ()]
    assert tuned.kinds == {"tag", "embedding"}
    assert together[0].prompt_tokens == tuned.count_tokens(asked(TEXT))


def test_what_is_too_long_is_refused_not_cut(tiny: Callable[[Kind], Base]) -> None:
    tuned = TunedModel(load(tiny("bert"), TASK))
    with pytest.raises(ModelError, match=f"takes {CONTEXT_LENGTH}"):
        tuned.predict([asked("red " * CONTEXT_LENGTH)])


def test_labels_are_found_or_stated() -> None:
    assert TASK.known_labels == ("LOC", "X")
    assert TASK.names == ("O", "B-LOC", "I-LOC", "B-X", "I-X")
    assert Tag(scheme="bioes", labels=("A",)).outputs == 5
    with pytest.raises(DataError, match="does not name: X"):
        Tag(labels=("LOC",)).resolve([row(TEXT, *SPANS)])
    with pytest.raises(DataError, match="nothing to learn"):
        Tag().resolve([row(TEXT)])


def test_the_gold_answer_reads_well() -> None:
    assert TASK.gold(row(TEXT, SPANS[0], SPANS[1])).text == "LOC: Madrid | LOC: Zzyzx"
