"""Words, tags and chunks."""

from __future__ import annotations

import itertools
import math

import pytest

from afina.tasks.words import chunks, path, tag_names, tags_of, widened, words
from afina.types import Span


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Madrid, 1.", ["Madrid", ",", "1", "."]),
        ("EE.UU. (EFE)", ["EE", ".", "UU", ".", "(", "EFE", ")"]),
        ("niño canción", ["niño", "canción"]),
        ("nin\u0303o", ["nin\u0303o"]),
        ("a_b\tc\n", ["a", "_", "b", "c"]),
        ("東京 x", ["東", "京", "x"]),
        ("  ", []),
        ("", []),
    ],
)
def test_words(text: str, cut: list[str]) -> None:
    assert [text[start:end] for start, end in words(text)] == cut


def test_a_text_of_words_with_spaces_has_the_same_words() -> None:
    text = "Sao Paulo (Brasil), 23 may."
    cut = [text[s:e] for s, e in words(text)]
    joined = " ".join(cut)
    assert [joined[s:e] for s, e in words(joined)] == cut


CHUNKS: dict[str, tuple[str, list[tuple[int, int, str]]]] = {
    "bio": ("B-X I-X O B-Y B-Y", [(0, 2, "X"), (3, 4, "Y"), (4, 5, "Y")]),
    "iob1": ("I-X I-X O I-Y B-Y", [(0, 2, "X"), (3, 4, "Y"), (4, 5, "Y")]),
    "bioes": ("B-X E-X S-Y S-Y B-X I-X E-X", [(0, 2, "X"), (2, 3, "Y"), (3, 4, "Y"), (4, 7, "X")]),
    "bilou": ("B-X L-X U-Y U-Y", [(0, 2, "X"), (2, 3, "Y"), (3, 4, "Y")]),
    "another label": ("B-X I-Y I-Y", [(0, 1, "X"), (1, 3, "Y")]),
    "inside after end": ("S-X I-X", [(0, 1, "X"), (1, 2, "X")]),
    "parts of speech": ("DET NOUN _ NOUN", [(0, 1, "DET"), (1, 2, "NOUN"), (3, 4, "NOUN")]),
    "a label with a dash": ("B-X-Z I-X-Z", [(0, 2, "X-Z")]),
    "nothing": ("O O", []),
    "no words": ("", []),
}


@pytest.mark.parametrize("name", CHUNKS)
def test_chunks(name: str) -> None:
    tags, expected = CHUNKS[name]
    assert list(chunks(tags.split())) == expected


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_tags_and_chunks_undo_each_other(scheme: str) -> None:
    text = "a b c d e f"
    places = words(text)
    spans = [Span(0, 3, "X"), Span(4, 5, "X"), Span(6, 11, "Y")]
    tags = tags_of(places, spans, scheme)
    back = [(places[f][0], places[e - 1][1], label) for f, e, label in chunks(tags)]
    assert back == [s.key for s in spans]
    assert set(tags) <= set(tag_names(("X", "Y"), scheme))


def test_a_span_inside_a_word_grows_to_it() -> None:
    text = "la Madrid-Barcelona"
    assert widened((5, 8), words(text)) == (3, 9)
    assert widened((3, 9), words(text)) == (3, 9)


@pytest.mark.parametrize("scheme", ["bio", "bioes"])
def test_the_path_is_the_best_of_all_allowed_ones(scheme: str) -> None:
    """Against every run of tags, most of which break the rules of the scheme."""
    import numpy as np

    names = tag_names(("X", "Y"), scheme)
    random = np.random.default_rng(3)
    for _ in range(10):
        scores = random.normal(size=(3, len(names))).tolist()
        best, most = None, -math.inf
        for run in itertools.product(range(len(names)), repeat=3):
            tags = [names[i] for i in run]
            rebuilt = ["O"] * 3
            for first, last, label in chunks(tags):
                inner = [(i, i + 1) for i in range(first, last)]
                rebuilt[first:last] = tags_of(inner, [Span(first, last, label)], scheme)
            total = sum(scores[i][t] for i, t in enumerate(run))
            if rebuilt == tags and total > most:
                best, most = list(run), total
        assert path(scores, names) == best


def test_the_path_of_no_words() -> None:
    assert path([], tag_names(("X",), "bio")) == []
