"""Texts as words, and labelled words as spans: the same for files, training, baselines and serving.

A text is always cut by this file, also one that came cut into tokens, so that what is served sees the
words that were trained.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from afina.types import Span

Place = tuple[int, int]
"""First character, and the one after the last."""

_ALONE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"
)
"""Scripts written without spaces (Thai, Lao, Burmese, Khmer, Kana, Han): each character is a word."""
_PREFIXED = re.compile(r"[BIESLUMW]-.+")


def words(text: str) -> tuple[Place, ...]:
    """Runs of letters, marks and digits; each other sign that is no space stands alone."""
    found: list[Place] = []
    begin = -1
    for at, character in enumerate(text):
        run = character.isalnum() or unicodedata.category(character)[0] == "M"
        if run and not _ALONE.match(character):
            begin = at if begin < 0 else begin
            continue
        if begin >= 0:
            found.append((begin, at))
            begin = -1
        if not character.isspace():
            found.append((at, at + 1))
    return (*found, (begin, len(text))) if begin >= 0 else tuple(found)


def widened(span: Place, places: Sequence[Place]) -> Place:
    """A span as far as the words that it touches reach; itself if it touches none."""
    touched = [p for p in places if p[0] < span[1] and span[0] < p[1]]
    return (touched[0][0], touched[-1][1]) if touched else span


def tag_names(labels: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The tags of a scheme: outside first."""
    marks = "BI" if scheme == "bio" else "BIES"
    return ("O", *(f"{mark}-{label}" for label in labels for mark in marks))


def tags_of(places: Sequence[Place], spans: Sequence[Span], scheme: str) -> list[str]:
    """The tag of each word. ``spans`` do not overlap and end where words do."""
    tags = ["O"] * len(places)
    for span in spans:
        inside = [i for i, (s, e) in enumerate(places) if span.start <= s and e <= span.end]
        for place, i in enumerate(inside):
            mark = "B" if place == 0 else "I"
            if scheme == "bioes" and place == len(inside) - 1:
                mark = "S" if place == 0 else "E"
            tags[i] = f"{mark}-{span.label}"
    return tags


def chunks(tags: Sequence[str]) -> Iterator[tuple[int, int, str]]:
    """First word, the one after the last, and label of each chunk; read as ``conlleval`` reads them.

    Takes IOB1, BIO, BIOES, BILOU and IO. Where no tag has such a prefix, each tag but ``O`` and ``_``
    is the label of its one word (parts of speech).
    """
    if not all(_PREFIXED.fullmatch(tag) for tag in tags if tag not in ("O", "_")):
        yield from ((i, i + 1, tag) for i, tag in enumerate(tags) if tag not in ("O", "_"))
        return
    begin, label = -1, ""
    ended = True
    for i, tag in enumerate((*tags, "O")):
        mark, _, own = tag.partition("-")
        outside = tag in ("O", "_")
        if begin >= 0 and (outside or ended or mark in "BSUW" or own != label):
            yield begin, i, label
            begin = -1
        if not outside:
            begin, label = (i, own) if begin < 0 else (begin, label)
            ended = mark in "ESLUW"


def path(scores: Sequence[Sequence[float]], names: Sequence[str]) -> list[int]:
    """The likeliest run of tags for log-probabilities [words, tags], by Viterbi's algorithm.

    Only runs that the scheme allows: inside and end follow a begin or inside of their label.
    """
    import numpy as np

    if not len(scores):
        return []
    allowed = np.array([[follows(a, b, names) for b in names] for a in names])
    barred = np.where(allowed, 0.0, -np.inf)
    values = np.asarray(scores, dtype=np.float64)
    best = values[0] + np.where([follows("O", name, names) for name in names], 0.0, -np.inf)
    back = np.zeros(values.shape, dtype=np.int64)
    for i in range(1, len(values)):
        ways = best[:, None] + barred
        back[i] = ways.argmax(axis=0)
        best = ways.max(axis=0) + values[i]
    last = best + np.where([follows(name, "O", names) for name in names], 0.0, -np.inf)
    found = [int(last.argmax())]
    for i in range(len(values) - 1, 0, -1):
        found.append(int(back[i][found[-1]]))
    return found[::-1]


def follows(tag: str, after: str, names: Sequence[str]) -> bool:
    """Whether a tag may stand after another; ``names`` tell the scheme."""
    mark, _, label = tag.partition("-")
    after_mark, _, after_label = after.partition("-")
    inside = mark in "BI" and tag != "O"
    if after_mark in "IE" and after != "O":
        return inside and label == after_label
    closes = any(name.startswith("E-") for name in names)
    return not (inside and closes)
