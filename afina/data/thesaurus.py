"""Words that mean the same: English from WordNet, Spanish from the thesaurus of LibreOffice.

Both are packages of Debian and found where they are installed; nothing is fetched. Only the first sense
of a word is used, the most frequent one: the others would change what is said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from afina.data.language import WORDS
from afina.errors import MachineError

WORDNET = (Path("/usr/share/wordnet"), Path("/usr/local/share/wordnet"))
MYTHES = (Path("/usr/share/mythes"),)
KINDS = ("noun", "verb", "adj", "adv")
PACKAGES = {"en": "wordnet-base", "es": "mythes-es"}
"""The package that brings each language's words."""
SHORTEST = 3
"""Letters that a word needs to be replaced."""

Synonyms = Mapping[str, tuple[str, ...]]
"""A word in small letters, and what may stand in its place."""


@cache
def synonyms(language: str) -> Synonyms:
    """Of English (``en``) or Spanish (``es``). Raises MachineError where the package is missing."""
    found = dict(_english() if language == "en" else _spanish())
    small = set(WORDS[language].split())
    return {word: others for word, others in found.items() if word not in small and others}


def _english() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each single word with those of its most frequent sense, whatever part of speech that is."""
    folder = _first(WORDNET, "data.noun", "en")
    best: dict[str, tuple[int, str, int]] = {}
    for kind in KINDS:
        for line in _lines(folder / f"index.{kind}", "utf-8"):
            if line.startswith(" "):
                continue
            word, _, _, pointers, *rest = line.split()
            _, tagged, first, *_ = rest[int(pointers) :]
            if int(tagged) > best.get(word, (-1, "", 0))[0]:
                best[word] = (int(tagged), kind, int(first))
    words = {kind: _wordnet_senses(folder / f"data.{kind}") for kind in KINDS}
    for word, (_, kind, place) in best.items():
        if _is_word(word):
            yield word, tuple(w for w in words[kind][place] if w != word and _is_word(w))


def _wordnet_senses(path: Path) -> dict[int, list[str]]:
    """Byte offset of a sense to its words (``look_at`` and names with capitals among them)."""
    found = {}
    for line in _lines(path, "utf-8"):
        if line.startswith(" "):
            continue
        place, _, _, count, *rest = line.split()
        words = rest[: 2 * int(count, 16) : 2]
        found[int(place)] = [word.partition("(")[0] for word in words]
    return found


def _spanish() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each single word with those of its first meaning that end as it does: gender and number are
    mostly in the ending."""
    path = _first(MYTHES, "th_es_ES_v2.dat", "es") / "th_es_ES_v2.dat"
    lines = _lines(path, "latin-1")
    encoding = next(lines).strip()
    if encoding.upper() not in ("ISO8859-1", "ISO-8859-1"):
        lines = _lines(path, encoding)
        next(lines)
    for line in lines:
        word, _, meanings = line.strip().partition("|")
        rows = [next(lines, "") for _ in range(int(meanings))]
        if _is_word(word) and rows:
            first = rows[0].strip().split("|")[1:]
            yield (
                word,
                tuple(w for w in first if _is_word(w) and w != word and _ends_alike(w, word)),
            )


def _ends_alike(word: str, other: str) -> bool:
    return _ending(word) == _ending(other)


def _ending(word: str) -> str:
    if word.endswith(("ar", "er", "ir")):
        return "infinitive"
    return word[-2:] if word.endswith(("os", "as")) else word[-1] if word[-1] in "aos" else ""


def _is_word(word: str) -> bool:
    """One word in small letters, no name and no phrase."""
    return len(word) >= SHORTEST and word.isalpha() and word == word.lower()


def _first(folders: tuple[Path, ...], file: str, language: str) -> Path:
    for folder in folders:
        if (folder / file).is_file():
            return folder
    raise MachineError(
        f"there are no synonyms of the language {language} on this machine",
        where=f"data.augment.by: {folders[0] / file}",
        do=f"apt-get install {PACKAGES[language]}",
    )


def _lines(path: Path, encoding: str) -> Iterator[str]:
    with path.open(encoding=encoding) as file:
        yield from file
