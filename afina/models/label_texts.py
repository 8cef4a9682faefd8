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


SEPARATOR = " | "
NONE, NONE_AT_ALL = "none", "no label at all"


def join_labels(labels: Sequence[str], known: Sequence[str]) -> str:
    """An answer of several labels, or of none, as a language model is to write it."""
    written = dict(zip(known, label_texts(known), strict=True))
    return SEPARATOR.join(written[label] for label in labels) or none_of(known)


def none_of(known: Sequence[str]) -> str:
    """The words for no label, which is the name of none."""
    return NONE_AT_ALL if NONE in {text.casefold() for text in label_texts(known)} else NONE


def labels_in(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """The labels that a written answer names, in the order of ``known``; other words say nothing.

    Also read where they are separated by commas or lines, or lead to a full stop.
    """
    texts = label_texts(known)
    signs = r"[|\n]" if any(sign in name for name in texts for sign in ",;") else r"[|,;\n]"
    said = {part.strip().strip("\"'*- ").removesuffix(".").strip().casefold()
            for part in re.split(signs, text)}  # fmt: skip
    return tuple(label for label, name in zip(known, texts, strict=True) if name.casefold() in said)
