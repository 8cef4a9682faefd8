"""Personal data replaced by tokens such as ``<EMAIL_1>``; with the keys, put back to the letter."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from afina.data.personal.scan import Hit, People, plain, scan

TOKEN = re.compile(r"<[A-Z][A-Z0-9_]*_\d+(?:\.\d+)?>")


class Redactor:
    """Replaces values by tokens, the same value by the same token wherever it stands.

    ``<PHONE_1>`` and ``<PHONE_1.2>`` are one number in two ways of writing. ``keys`` gives the text
    of each token. Not reversible, the token is only ``<PHONE>`` and ``keys`` stays empty: two
    values can no longer be told apart. What looked like a token before is a value too (``LITERAL``).
    """

    def __init__(self, *, reversible: bool, people: People | None = None) -> None:
        self.reversible = reversible
        self.people = people
        self.keys: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        self._numbers: dict[tuple[str, str], int] = {}
        self._last: dict[str, int] = {}
        self._forms: dict[tuple[str, str], list[str]] = {}

    def text(self, text: str) -> str:
        """The text with tokens in place of its values."""
        spans = [(hit.kind, hit.start, hit.end) for hit in self._hits(text)]
        if self.reversible:
            spans += [
                ("literal", m.start(), m.end())
                for m in TOKEN.finditer(text)
                if all(m.end() <= start or m.start() >= end for _, start, end in spans)
            ]
        done, at = [], 0
        for kind, start, end in sorted(spans, key=lambda span: span[1]):
            done += [text[at:start], self._token(kind, text[start:end])]
            at = end
        return "".join([*done, text[at:]])

    def _hits(self, text: str) -> list[Hit]:
        return scan(text, self.people([text])[0] if self.people else ())

    def value(self, value: Any) -> Any:
        """The same for every text inside a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        return value

    def _token(self, kind: str, value: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        name = kind.upper()
        if not self.reversible:
            return f"<{name}>"
        same = (kind, value if kind == "literal" else plain(kind, value))
        if same not in self._numbers:
            self._last[kind] = self._numbers[same] = self._last.get(kind, 0) + 1
        forms = self._forms.setdefault(same, [])
        if value not in forms:
            forms.append(value)
        form = forms.index(value)
        token = f"<{name}_{self._numbers[same]}{f'.{form + 1}' if form else ''}>"
        self.keys[token] = value
        return token


def restore(text: str, keys: Mapping[str, str]) -> str:
    """The text as it was before ``Redactor.text``; a token without a key stays."""
    return TOKEN.sub(lambda match: keys.get(match[0], match[0]), text)


def restore_value(value: Any, keys: Mapping[str, str]) -> Any:
    """The same for every text inside a JSON value."""
    if isinstance(value, str):
        return restore(value, keys)
    if isinstance(value, list):
        return [restore_value(item, keys) for item in value]
    if isinstance(value, Mapping):
        return {key: restore_value(item, keys) for key, item in value.items()}
    return value
