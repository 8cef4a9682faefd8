"""Labelled stretches of texts, as tools write them: lists of tags, offsets, annotations."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from afina.data.conversation import RowFault, text_in
from afina.data.rows import Notes, kind, shown
from afina.tasks.words import chunks, widened, words
from afina.types import Span

_NAMES = (("start", "end"), ("start_offset", "end_offset"), ("start_char", "end_char"))
_FORMS = '[start, end, label] or {"start": …, "end": …, "label": …}'


def tagged_in(
    tokens: object, tags: object, columns: Mapping[str, str]
) -> tuple[str, tuple[Span, ...]]:
    """Words and their tags as a text (one space between words) and its stretches."""
    written = [
        _word(w, f"{columns['tokens']}[{i}]")
        for i, w in enumerate(_list(tokens, columns["tokens"]))
    ]
    named = [_tag(t, f"{columns['tags']}[{i}]") for i, t in enumerate(_list(tags, columns["tags"]))]
    if len(written) != len(named):
        raise RowFault(
            f"column {columns['tags']}",
            f"{len(named)} tags for {len(written)} words",
            "give each word one tag",
        )
    begins, length = [], 0
    for word in written:
        begins.append(length)
        length += len(word) + 1
    text = " ".join(written)
    spans = []
    for first, last, label in chunks(named):
        start, end = begins[first], begins[last - 1] + len(written[last - 1])
        spans.append(Span(start, end, label, text[start:end]))
    return text, tuple(spans)


def _list(value: object, column: str) -> Sequence[Any]:
    """A list, or the text of one in Python or JSON (as tables hold it)."""
    if isinstance(value, str) and value.strip().startswith("["):
        try:
            value = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise RowFault(
                f"column {column}", "the list cannot be read", '["one", "two"]'
            ) from None
    if isinstance(value, tuple):
        value = list(value)
    if not isinstance(value, list):
        raise RowFault(
            f"column {column}", f"{kind(value)} where a list is expected", '["one", "two"]'
        )
    return value


def _word(value: object, path: str) -> str:
    word = text_in(value, path)
    if not word or len(word.split()) != 1 or word != word.strip():
        raise RowFault(path, f"{shown(word)} is no word", "a text without spaces")
    return word


def _tag(value: object, path: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        raise RowFault(
            path, f"the tag is a number ({value})", "write the names of the tags, such as B-PER"
        )
    return text_in(value, path).strip() or "O"


def spans_in(value: object, text: str, path: str, notes: Notes) -> tuple[Span, ...]:
    """Stretches by their offsets in characters, in order.

    One that begins or ends inside a word is widened to the whole word, which is noted. Raises
    RowFault for offsets outside the text and stretches that overlap.
    """
    if not isinstance(value, list):
        raise RowFault(path, f"{kind(value)} where a list of stretches is expected", _FORMS)
    places = words(text)
    found: list[Span] = []
    for i, item in enumerate(value):
        start, end, label = _offsets(item, f"{path}[{i}]")
        if not 0 <= start < end <= len(text) or not text[start:end].strip():
            raise RowFault(
                f"{path}[{i}]",
                f"characters {start} to {end} of a text of {len(text)}",
                "offsets count characters from 0, the end is not part of it",
            )
        inner = text[start:end]
        trimmed = (
            start + len(inner) - len(inner.lstrip()),
            end - len(inner) + len(inner.rstrip()),
        )
        whole = widened(trimmed, places)
        if whole != trimmed:
            notes.add("stretches that began or ended inside a word were widened to whole words")
        found.append(Span(*whole, label, text[whole[0] : whole[1]]))
    found.sort(key=lambda s: s.key)
    for one, other in pairwise(found):
        if other.start < one.end:
            raise RowFault(
                path,
                f"{shown(one.text)} ({one.label}) and {shown(other.text)} ({other.label}) overlap",
                "each word belongs to one stretch at most; keep one of them",
            )
    return tuple(found)


def _offsets(item: object, path: str) -> tuple[int, int, str]:
    start: object = None
    end: object = None
    label: object = None
    if isinstance(item, list) and len(item) == 3:
        start, end, label = item
    elif isinstance(item, Mapping):
        names = next((pair for pair in _NAMES if pair[0] in item), ("start", "end"))
        start, end = item.get(names[0]), item.get(names[1])
        label = item.get("label", item.get("type", item.get("labels")))
    if isinstance(label, list) and len(label) == 1:
        label = label[0]
    numbers = all(isinstance(n, int) and not isinstance(n, bool) for n in (start, end))
    if not numbers or not isinstance(label, str) or not label.strip():
        raise RowFault(path, f"{shown(item)} is no labelled stretch", _FORMS)
    assert isinstance(start, int)
    assert isinstance(end, int)
    return start, end, text_in(label, path).strip()


def annotated_in(
    values: Mapping[str, Any], data: str, annotations: str, notes: Notes
) -> tuple[str, tuple[Span, ...] | None]:
    """A task of Label Studio: the text of its data and the first annotation that was not cancelled.

    None where nobody has annotated it.
    """
    given = values[data]
    texts = [v for v in given.values() if isinstance(v, str)] if isinstance(given, Mapping) else []
    if isinstance(given, Mapping) and isinstance(given.get("text"), str):
        texts = [given["text"]]
    if len(texts) != 1:
        raise RowFault(
            f"column {data}",
            f"{len(texts)} texts where one is expected",
            'one text, called "text"',
        )
    made = values[annotations]
    if not isinstance(made, list):
        raise RowFault(f"column {annotations}", f"{kind(made)} where a list is expected", "[…]")
    kept = [a for a in made if isinstance(a, Mapping) and not a.get("was_cancelled")]
    if len(kept) > 1:
        notes.add("of several annotations of one text the first was taken")
    text = text_in(texts[0], f"column {data}")
    if not kept:
        return text, None
    results = kept[0].get("result")
    if not isinstance(results, list):
        raise RowFault(
            f"{annotations}[0].result", f"{kind(results)} where a list is expected", "[…]"
        )
    labels = [r for r in results if isinstance(r, Mapping) and r.get("type") == "labels"]
    if len(labels) < len(results):
        notes.add("parts of annotations that label no stretch were left out")
    return text, spans_in([r.get("value") for r in labels], text, f"{annotations}[0].result", notes)
