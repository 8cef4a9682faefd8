"""How a label is written where a language model reads it. Loads no torch."""

from __future__ import annotations

import re
from collections.abc import Sequence


def label_texts(labels: Sequence[str]) -> tuple[str, ...]:
    """Labels as a person would write them: ``card_arrival`` and ``CardArrival`` are card arrival.

    Unchanged where two of them would then be the same, or nothing would be left.
    """
    spaced = [re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", label) for label in labels]
    plain = [" ".join(re.split(r"[\s_/.-]+", text)).strip().lower() for text in spaced]
    distinct = len(set(plain)) == len(labels) and all(plain)
    return tuple(plain) if distinct else tuple(labels)
