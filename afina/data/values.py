"""Values of a row that several shapes share: labels and verdicts."""

from __future__ import annotations

import sys

from afina.data.conversation import Empty, RowFault, text_in
from afina.data.rows import kind, shown


def label_in(value: object, path: str) -> str:
    """The label as a text, the same object wherever it stands: few labels are on many rows."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    if not isinstance(value, str):
        raise RowFault(
            path, f"{kind(value)} is no label: {shown(value)}", "write a text or a number"
        )
    return sys.intern(text_in(value, path).strip())


VERDICTS = {
    True: ("true", "good", "yes", "1", "sí", "si", "bueno"),
    False: ("false", "bad", "no", "0", "-1", "malo"),
}


def verdict_in(value: object, path: str) -> bool:
    """Whether an answer was called good: true or false, 1 or 0, good or bad, yes or no."""
    if value is None or value == "":
        raise Empty("empty_answer")
    said = label_in(value, path).casefold()
    for verdict, words in VERDICTS.items():
        if said in words:
            return verdict
    raise RowFault(path, f"{shown(value)} says neither good nor bad", "write true or false")
