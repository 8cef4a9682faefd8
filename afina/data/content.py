"""What a row says, apart from where it stands: canonical content, identity, input and answer."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from afina.types import (
    ChatExample,
    Example,
    JudgedExample,
    LabelledExample,
    Message,
    NumberExample,
    PairExample,
    PreferenceExample,
    QuestionExample,
    TaggedExample,
    TextExample,
)

ID_CHARACTERS = 16


_ENCODER = json.JSONEncoder(
    sort_keys=True, ensure_ascii=False, separators=(",", ":"), check_circular=False
)


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal texts."""
    return _ENCODER.encode(value)


def content(example: Example) -> dict[str, Any]:
    """Everything but ``id`` and ``where``, as plain JSON values."""
    value: dict[str, Any] = {}
    if isinstance(example, LabelledExample):
        value = {"text": example.text, "labels": list(example.labels)} | _second(example)
    elif isinstance(example, NumberExample):
        value = {"text": example.text, "number": example.number} | _second(example)
    elif isinstance(example, TaggedExample):
        value = {"text": example.text, "spans": [list(s.key) for s in example.spans]}
    elif isinstance(example, QuestionExample):
        value = {"question": example.question, "context": example.context}
        value["answers"] = [[s.start, s.end] for s in example.answers]
    elif isinstance(example, ChatExample):
        value = {"messages": _plain(example.messages)}
        if example.tools:
            value["tools"] = list(example.tools)
        if example.tests:
            value["tests"] = example.tests
        if isinstance(example, JudgedExample):
            value["good"] = example.good
    elif isinstance(example, PreferenceExample):
        for name in ("prompt", "chosen", "rejected"):
            value[name] = _plain(getattr(example, name))
        if example.tools:
            value["tools"] = list(example.tools)
    elif isinstance(example, PairExample):
        value = {"query": example.query, "positive": example.positive}
        value |= {"negatives": list(example.negatives)} if example.negatives else {}
    elif isinstance(example, TextExample):
        value = {"text": example.text}
    else:
        raise TypeError(f"no example: {type(example).__name__}")
    value |= {"group": example.group} if example.group is not None else {}
    return value | ({"time": example.time} if example.time is not None else {})


def _second(example: LabelledExample | NumberExample) -> dict[str, str]:
    return {} if example.second is None else {"second": example.second}


def _plain(messages: Sequence[Message]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = []
    for m in messages:
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
        optional: Mapping[str, Any] = {
            "name": m.name,
            "tool_calls": list(m.tool_calls) or None,
            "tool_call_id": m.tool_call_id,
            "weight": 0 if m.weight == 0 else None,
        }
        plain.append(turn | {k: v for k, v in optional.items() if v is not None})
    return plain


def content_id(example: Example) -> str:
    """The beginning of the SHA-256 of the content; the same wherever the row stands."""
    return digest(canonical([type(example).__name__, content(example)]))[:ID_CHARACTERS]


def digest(text: str) -> str:
    """SHA-256 of a text, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def messages_before(example: Example) -> tuple[Message, ...]:
    """The question of a conversation as messages."""
    if isinstance(example, ChatExample):
        return example.messages[:-1]
    return example.prompt if isinstance(example, PreferenceExample) else ()


def _given(example: Example) -> tuple[str, ...]:
    """The texts of a row that is no conversation; empty for one that is."""
    if isinstance(example, LabelledExample | NumberExample):
        return (example.text,) if example.second is None else (example.text, example.second)
    if isinstance(example, QuestionExample):
        return example.question, example.context
    if isinstance(example, PairExample):
        return (example.query,)
    return (example.text,) if isinstance(example, TextExample | TaggedExample) else ()


def input_text(example: Example) -> str:
    """All that is given: the text, or every turn before the answer (roles kept apart)."""
    if written := _given(example):
        return "\n".join(written)
    return "\n".join(f"{m.role}: {_said(m)}" for m in messages_before(example))


def answer_text(example: Example) -> str:
    """The answer to learn; empty for raw text."""
    if isinstance(example, LabelledExample):
        return " | ".join(sorted(example.labels))
    if isinstance(example, TaggedExample):
        return " | ".join(f"{s.label}: {s.text} ({s.start})" for s in example.spans)
    if isinstance(example, QuestionExample):
        return " | ".join(dict.fromkeys(s.text for s in example.answers))
    if isinstance(example, NumberExample):
        return f"{example.number:.17g}"
    if isinstance(example, PairExample):
        return example.positive
    if isinstance(example, ChatExample):
        return _said(example.messages[-1])
    if isinstance(example, PreferenceExample):
        return "\n".join(_said(m) for m in example.chosen)
    return ""


def answer_key(example: Example) -> str:
    """What makes two answers the same answer; for preferences the pair, for judged ones the verdict."""
    if isinstance(example, JudgedExample):
        return str(example.good)
    if isinstance(example, PreferenceExample):
        return canonical([_plain(example.chosen), _plain(example.rejected)])
    return answer_text(example)


def _said(message: Message) -> str:
    if not message.tool_calls:
        return message.content
    return message.content + canonical([c["function"] for c in message.tool_calls])


def texts(example: Example) -> list[str]:
    """Every text a person wrote in the row, for the check of the encoding."""
    if isinstance(example, PairExample):
        return [example.query, example.positive, *example.negatives]
    if written := _given(example):
        return list(written)
    if isinstance(example, ChatExample):
        return [m.content for m in example.messages]
    if isinstance(example, PreferenceExample):
        return [m.content for m in (*example.prompt, *example.chosen, *example.rejected)]
    return []


def named_texts(example: Example) -> list[tuple[str, str]]:
    """The same texts, each with the name of its place in the row."""
    said = texts(example)
    if isinstance(example, ChatExample):
        return [(f"messages[{i}].content", text) for i, text in enumerate(said)]
    if isinstance(example, PreferenceExample):
        names = [
            f"{name}[{i}].content"
            for name in ("prompt", "chosen", "rejected")
            for i in range(len(getattr(example, name)))
        ]
        return list(zip(names, said, strict=True))
    return [("text" if len(said) == 1 else f"text {i}", text) for i, text in enumerate(said, 1)]


def normal_input(example: Example) -> str:
    """The input without case, punctuation, spacing and Unicode form: equal ones stay together."""
    if written := _given(example):
        return "\n".join(map(normalise, written))
    turns = messages_before(example)
    return "\n".join(f"{m.role} {normalise(_said(m))}" for m in turns)


def near_input(example: Example, normal: str) -> str:
    """What a near duplicate is told by, given the normal input: of a question its text alone, so that
    all questions about one text, or about nearly the same, are never in different splits."""
    return normalise(example.context) if isinstance(example, QuestionExample) else normal


def composed(text: str) -> str:
    """Text as it is compared letter by letter: NFC, one kind of line end, no space around it."""
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n")).strip()


# ---------------------------------------------------------------------------- normal form


@functools.cache
def _signs() -> tuple[Mapping[int, None], Mapping[int, str]]:
    """For ``str.translate``, which is several times faster than a pattern of so many signs: the
    invisible characters to nothing; punctuation to a space."""
    marks, invisible = [], []
    for code in range(min(sys.maxunicode, 0x1FFFF) + 1):
        category = unicodedata.category(chr(code))
        if category[0] == "P":
            marks.append(code)
        elif category == "Cf" or 0xFE00 <= code <= 0xFE0F:
            invisible.append(code)
    return dict.fromkeys(invisible), dict.fromkeys(marks, " ")


_APOSTROPHE = re.compile(r"(?<=\w)['’ʼ](?=\w)")
_DIGIT = re.compile(r"\d")
# Signs inside a number mean something: 1.5 is not 15, 3-1 not 31, -5 not 5, 10% not 10.
_IN_NUMBER = re.compile(r"((?<=\d)[.,:/-](?=\d)|(?<![^\s])-(?=\d)|(?<=\d)%)")


def normalise(text: str) -> str:
    """NFKC, case folded, one space for every run of space and punctuation.

    Apostrophes inside words and invisible characters go; signs inside numbers stay. A text of
    nothing but punctuation keeps it (``?`` is not ``!``).
    """
    invisible, marks = _signs()
    if text.isascii():
        folded = text.casefold()
        if "'" in text:
            folded = _APOSTROPHE.sub("", folded)
    else:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
        folded = _APOSTROPHE.sub("", folded).translate(invisible)
    if _DIGIT.search(folded):
        parts = _IN_NUMBER.split(folded)
        parts[::2] = [part.translate(marks) for part in parts[::2]]
        spaced = "".join(parts)
    else:
        spaced = folded.translate(marks)
    return " ".join(spaced.split() or folded.split())
