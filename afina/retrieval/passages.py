"""Documents cut into passages of whole sentences that overlap a little."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from afina.retrieval.documents import Document

_SENTENCE = re.compile(r"(?<=[.!?…])[\"'»”)\]]*\s+|\n\s*\n|\n(?=\s*(?:[-*#•]|\d+[.)]))")


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document. ``id`` is the document's name and the passage's number in it."""

    document: str
    number: int
    text: str

    @property
    def id(self) -> str:
        return f"{self.document}#{self.number}"


def cut(
    documents: Sequence[Document],
    words: int,
    overlap: int,
    fits: Callable[[str], bool] | None = None,
) -> tuple[Passage, ...]:
    """Passages of at most ``words`` words; each begins with up to ``overlap`` words of the one before.

    Sentences stay whole; one that is longer than a passage is cut between words. A passage that
    ``fits`` refuses (an embedder's context) is halved until it does. Nothing is lost: every word of
    a document stands in a passage of it.
    """
    found: list[Passage] = []
    for document in documents:
        texts = [
            part
            for text in _packed(_sentences(document.text, words), words, overlap)
            for part in _fitting(text, fits)
        ]
        found += [Passage(document.id, number, text) for number, text in enumerate(texts, 1)]
    return tuple(found)


def _sentences(text: str, words: int) -> list[list[str]]:
    """Each sentence as its words, none longer than ``words``."""
    found: list[list[str]] = []
    for sentence in _SENTENCE.split(text):
        parts = sentence.split()
        found += [parts[i : i + words] for i in range(0, len(parts), words)]
    return found


def _packed(sentences: Sequence[list[str]], words: int, overlap: int) -> Iterator[str]:
    held: list[list[str]] = []
    fresh = 0  # sentences of ``held`` that no passage has yet
    for sentence in sentences:
        if fresh and sum(map(len, held)) + len(sentence) > words:
            yield _joined(held)
            held, fresh = _tail(held, min(overlap, words - len(sentence))), 0
        held.append(sentence)
        fresh += 1
    if fresh:
        yield _joined(held)


def _tail(sentences: Sequence[list[str]], overlap: int) -> list[list[str]]:
    """The last whole sentences that have at most ``overlap`` words; else the last words."""
    kept: list[list[str]] = []
    for sentence in reversed(sentences):
        if sum(map(len, kept)) + len(sentence) > overlap:
            break
        kept.insert(0, sentence)
    if not kept and overlap > 0:
        kept = [sentences[-1][-overlap:]]
    return kept


def _joined(sentences: Sequence[list[str]]) -> str:
    return " ".join(word for sentence in sentences for word in sentence)


def _fitting(text: str, fits: Callable[[str], bool] | None) -> Iterator[str]:
    if fits is None or fits(text):
        yield text
        return
    words = text.split()
    if len(words) < 2:  # one endless word: cut inside it
        middle = len(text) // 2
        halves = [text[:middle], text[middle:]] if middle else [text]
    else:
        halves = [" ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])]
    for half in halves:
        yield from _fitting(half, fits) if len(halves) > 1 else (half,)
