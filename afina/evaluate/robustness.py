"""The same questions written otherwise: typing errors, case, accents, spaces, punctuation, wording.

Each change is seeded and made by rule, so that a second evaluation asks the same. The right answers
stay what they are; how much of the score is lost is compared in pairs, row by row.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from random import Random

from afina.errors import DataError
from afina.evaluate.asking import Further
from afina.evaluate.finding import Column, Finding, Material
from afina.evaluate.further import answered, asked_otherwise, changed, columns, pairs_in
from afina.evaluate.slices import holm
from afina.evaluate.statement import Statement
from afina.recipe.proof import Change, Robustness
from afina.types import Example, Task

PARAPHRASES = "paraphrases"
ROWS = ("qwertyuiop", "asdfghjklñ", "zxcvbnm")
"""The letters of an English and a Spanish keyboard, row above row."""
LEAST_LETTERS = 4
"""Shorter words are spared: an error makes another word of them."""


def neighbours(letter: str) -> str:
    """The letters beside and above or below a letter on the keyboard; empty for any other sign."""
    for at, row in enumerate(ROWS):
        place = row.find(letter)
        if place < 0:
            continue
        found = row[max(0, place - 1) : place] + row[place + 1 : place + 2]
        for other in (at - 1, at + 1):
            if 0 <= other < len(ROWS):
                found += ROWS[other][place : place + 1]
        return found
    return ""


def typos(text: str, share: float, random: Random) -> str:
    """Some words with one typing error each: a neighbouring key, two letters turned, one lost, one
    twice. White space stays as it is."""
    parts = _words_and_gaps(text)
    long = [i for i, part in enumerate(parts) if sum(map(str.isalpha, part)) >= LEAST_LETTERS]
    if not long:
        return text
    for i in random.sample(long, max(1, round(share * len(long)))):
        parts[i] = _mistyped(parts[i], random)
    return "".join(parts)


def _words_and_gaps(text: str) -> list[str]:
    parts: list[str] = []
    for character in text:
        if parts and parts[-1][-1].isspace() == character.isspace():
            parts[-1] += character
        else:
            parts.append(character)
    return parts


def _mistyped(word: str, random: Random) -> str:
    """A word with one error behind its first letter, in which people seldom err."""
    at = random.choice([i for i, c in enumerate(word) if c.isalpha()][1:])
    before, letter, after = word[:at], word[at], word[at + 1 :]
    near = neighbours(letter.lower())
    kind = random.randrange(4)
    if kind == 0 and near:
        other = random.choice(near)
        return before + (other.upper() if letter.isupper() else other) + after
    if kind == 1 and after and after[0] != letter:
        return before + after[0] + letter + after[1:]
    return before + (letter * 2 if kind == 2 else "") + after


def without_accents(text: str) -> str:
    """Letters without their marks; ñ becomes n, as on a keyboard that has none."""
    apart = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", "".join(c for c in apart if not unicodedata.combining(c)))


def other_case(text: str) -> str:
    """All small; a text that is so already, all capitals."""
    return text.lower() if text != text.lower() else text.upper()


def more_spaces(text: str, random: Random) -> str:
    """Every third gap or so twice as wide, and a space at the end."""
    return "".join(c * 2 if c == " " and random.random() < 1 / 3 else c for c in text) + " "


def without_punctuation(text: str) -> str:
    """No marks of punctuation; those between two letters or digits stay (3.5, user@example.org)."""
    kept = []
    for i, c in enumerate(text):
        inside = 0 < i < len(text) - 1 and text[i - 1].isalnum() and text[i + 1].isalnum()
        if not unicodedata.category(c).startswith("P") or inside:
            kept.append(c)
    return "".join(kept)


# ---------------------------------------------------------------------------- the questions


def questions(
    settings: Robustness, task: Task, test: Sequence[Example], seed: int
) -> list[Further]:
    """What the tuned model is asked again; changes that alter no question are left out."""
    rows = sorted(Random(seed).sample(range(len(test)), min(settings.rows, len(test))))
    found = []
    for name in settings.changes:
        change = _change(name, settings, Random(f"{seed} {name}"))
        found.append(asked_otherwise(name, task, test, rows, change))
    if settings.paraphrases is not None:
        found.append(_paraphrased(settings.paraphrases, task, test))
    return [further for further in found if further.rows]


def _change(name: Change, settings: Robustness, random: Random) -> Callable[[str], str]:
    if name == "typos":
        return lambda text: typos(text, settings.share, random)
    if name == "spaces":
        return lambda text: more_spaces(text, random)
    return {"case": other_case, "accents": without_accents, "punctuation": without_punctuation}[
        name
    ]


def read_paraphrases(source: str) -> list[tuple[str, ...]]:
    """(id or question, other wording) of each row. Raises DataError."""
    names = [("id", "question"), ("paraphrase",)]
    return pairs_in(source, names, "evaluate.robustness.paraphrases")


def _paraphrased(source: str, task: Task, test: Sequence[Example]) -> Further:
    """The test rows that the file has other wordings of. Raises DataError if there are none."""
    places = {task.question(example).text.strip(): i for i, example in enumerate(test)}
    places |= {example.id: i for i, example in enumerate(test)}
    pairs = read_paraphrases(source)
    known = [(places[name], text) for name, text in pairs if name in places]
    if not known:
        raise DataError(
            f"none of its {len(pairs):,} rows names a row of the test",
            where=source,
            do="write the questions of the test, or their ids (data.columns.id)",
        )
    inputs = tuple(changed(task.question(test[i]), lambda _, t=text: t) for i, text in known)  # type: ignore[misc]
    return Further(PARAPHRASES, tuple(i for i, _ in known), inputs, len(pairs) - len(known))


def find(material: Material) -> Finding | None:
    """What each change does to the answers and to the score; None where nothing was wished."""
    settings = material.settings.robustness
    if settings is None or material.judged.source != "answers":
        return None
    asked = [f for f in material.further if f.name in (*settings.changes, PARAPHRASES)]
    names = {further.name for further in asked}
    rest = [Statement("robust_none", {"change": c}) for c in settings.changes if c not in names]
    rest += [Statement("paraphrases_strange", {"rows": f.strange}) for f in asked if f.strange]
    if not asked:
        return Finding("robustness", tuple(rest)) if rest else None
    found = [answered(material, further) for further in asked]
    adjusted = holm([each.comparison.p_value for each in found])
    sign, confidence = material.judged.sign, material.settings.confidence
    rows, lost = [], []
    for each, p_value in zip(found, adjusted, strict=True):
        rows.append({"change": each.name, **each.cells(material), "p_value": p_value})
        if sign * each.comparison.difference < 0 and p_value <= 1 - confidence:
            lost.append((sign * each.comparison.difference, each))
    values = {"changes": len(rows), "metric": material.judged.name, "unit": material.judged.unit}
    values |= {"confidence": confidence}
    if lost:
        worst = min(lost, key=lambda pair: pair[0])[1]
        values |= {
            "slices": len(lost),
            "change": worst.name,
            "difference": worst.comparison.difference,
        }
        values |= {"before": worst.before, "after": worst.after}
    said = Statement("robust_lost" if lost else "robust_even", values)
    head = (Column("change", "word"), *columns(material), Column("p_value", "probability"))
    return Finding("robustness", (said, *rest), head, tuple(rows), alarm=bool(lost))
