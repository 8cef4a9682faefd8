"""More rows to learn from, made of those there are: other words with the same answer.

Synonyms as in Zhang, Zhao & LeCun 2015 (arXiv 1509.01626), one word in so many; translation into another
language and back as in Sennrich et al. 2016. Rows are made of training rows alone, carry the group of
their origin, and none has the question of a row of another split. Whether they help has to be measured.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from random import Random
from typing import Any

from afina.data.content import digest, normal_input
from afina.data.language import identify
from afina.data.near import near_to
from afina.data.sealed import SealedTest, rows_sha256
from afina.data.thesaurus import synonyms
from afina.errors import DataError, RecipeError
from afina.recipe.augment import Augment
from afina.types import ChatExample, Example, JudgedExample, LabelledExample, NumberExample, Task

LANGUAGES = ("en", "es")
OTHER = {"en": "es", "es": "en"}
Translate = Callable[[Sequence[str], str, str], list[str]]
"""Texts, their language and the wished one, to as many texts."""
_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Made:
    """The rows that were made, and how it went."""

    rows: tuple[Example, ...] = ()
    of: int = 0
    """Training rows that rows were to be made of."""
    by: Mapping[str, int] | None = None
    """Rows made, by the way."""
    left_out: Mapping[str, int] | None = None
    """Why others were not: ``unchanged``, ``known`` (another training row asks it), ``held``
    (validation or test asks it), ``near_held`` (nearly so, and the row it was made of did not),
    ``language`` (neither English nor Spanish)."""

    @property
    def sha256(self) -> str:
        """Of what they say, whatever their order."""
        return rows_sha256(self.rows)

    def as_dict(self) -> dict[str, Any]:
        """For ``check.json``: counts, no content."""
        facts = {k: v for k, v in asdict(replace(self, rows=())).items() if k != "rows"}
        return {"rows": len(self.rows), "sha256": self.sha256, **facts}


def refuse(task: Task, examples: Sequence[Example]) -> None:
    """Raises RecipeError where other words would break the answers of a resolved task."""
    reason = task.refuses_other_words()
    kinds = (LabelledExample, NumberExample, ChatExample)
    if not reason and not all(
        isinstance(row, kinds) and not isinstance(row, JudgedExample) for row in examples
    ):
        reason = "its rows compare or judge answers to the very words of a question"
    if not reason and any(isinstance(r, ChatExample) and _calls(r) for r in examples):
        reason = "its rows call tools, with arguments from the words of the question"
    if reason:
        raise RecipeError(
            f"other words cannot be put into the questions of a {task.name} task: {reason}",
            where="data.augment",
            do="leave data.augment out",
        )


def _calls(row: ChatExample) -> bool:
    return any(message.tool_calls for message in row.messages)


def augment(
    train: Sequence[Example],
    validation: Sequence[Example],
    test: SealedTest,
    knobs: Augment,
    translate: Translate,
) -> Made:
    """Make rows. The same rows and seed make the same ones, whatever the order.

    Raises what the thesaurus and the translation raise, DataError if nothing could be made.
    """
    dice = sorted(train, key=lambda row: digest(f"augment {knobs.seed} {row.id}"))
    chosen = dice[: max(1, round(knobs.share * len(dice)))]
    languages = _languages(chosen, knobs.language)
    left_out: Counter[str] = Counter()
    left_out["language"] = sum(language is None for language in languages.values())
    able = [row for row in chosen if languages[row.id] is not None]
    made: list[tuple[str, Example, list[str]]] = []
    for way in knobs.by:
        if way == "synonyms":
            made += _by_synonyms(able, languages, knobs)
        else:
            made += _by_translation(able, languages, translate)
    taken = {normal_input(row): "known" for row in train}
    taken |= {normal_input(row): "held" for row in validation}
    sealed = {number for _, number in test.measure(_fingerprint)}
    asked_by = [(o, _with_texts(o, texts, mark), mark) for mark, o, texts in made]
    crossing = _crossing(
        [(normal_input(o), normal_input(r)) for o, r, _ in asked_by], validation, test
    )
    rows: list[Example] = []
    by: Counter[str] = Counter()
    for origin, row, mark in asked_by:
        asked = normal_input(row)
        reason = "unchanged" if asked == normal_input(origin) else taken.get(asked)
        if reason is None and _fingerprint(row) in sealed:
            reason = "held"
        if reason is None and (normal_input(origin), asked) in crossing:
            reason = "near_held"
        if reason is not None:
            left_out[reason] += 1
            continue
        taken[asked] = "known"
        by[_way(mark)] += 1
        rows.append(row)
    if not rows:
        raise DataError(
            f"no row could be made of {len(chosen)}",
            where="data.augment",
            do=f"left out: {dict(left_out)}; state data.augment.language, or leave it out",
        )
    return Made(tuple(rows), len(chosen), dict(by), {k: n for k, n in left_out.items() if n})


def _crossing(
    pairs: Sequence[tuple[str, str]], validation: Sequence[Example], test: SealedTest
) -> set[tuple[str, str]]:
    """Of pairs (input, one made of it): those where only the made one is near to a row that is held."""
    held = [normal_input(row) for row in validation]
    near = [
        near_to(texts, held) | test.near(texts) for texts in map(list, zip(*pairs, strict=True))
    ]
    return {(origin, made) for origin, made in pairs if made in near[1] and origin not in near[0]}


def _way(mark: str) -> str:
    return mark.rstrip("0123456789")


def _fingerprint(row: Example) -> int:
    """A number for what a row asks, by which sealed rows can be compared without being shown."""
    return int(digest(normal_input(row))[:15], 16)


def _languages(rows: Sequence[Example], stated: str | None) -> dict[str, str | None]:
    """The language of each row; where its words do not tell, that of most rows."""
    if stated is not None:
        return {row.id: stated for row in rows}
    told = {row.id: identify(" ".join(_texts(row))) for row in rows}
    known = Counter(language for language in told.values() if language in LANGUAGES)
    usual = known.most_common(1)[0][0] if known else None
    return {
        row: language if language in LANGUAGES else usual if language == "unknown" else None
        for row, language in told.items()
    }


# ---------------------------------------------------------------------------- the two ways


def _by_synonyms(
    rows: Sequence[Example], languages: Mapping[str, str | None], knobs: Augment
) -> list[tuple[str, Example, list[str]]]:
    found = []
    for row in rows:
        words = synonyms(str(languages[row.id]))
        for copy in range(knobs.copies):
            dice = Random(f"{knobs.seed} {row.id} {copy}")
            texts = [replaced(text, words, knobs.rate, dice) for text in _texts(row)]
            found.append((f"synonyms{copy + 1}", row, texts))
    return found


def replaced(text: str, words: Mapping[str, Sequence[str]], rate: float, dice: Random) -> str:
    """The text with a share of the words that have synonyms replaced: one at least."""
    places = [m for m in _WORDS.finditer(text) if m[0].lower() in words]
    if not places:
        return text
    wanted = max(1, round(rate * len(places)))
    chosen = {m.start() for m in dice.sample(places, wanted)}
    out, end = [], 0
    for match in places:
        if match.start() in chosen:
            out += [text[end : match.start()], _as(match[0], dice.choice(words[match[0].lower()]))]
            end = match.end()
    return "".join([*out, text[end:]])


def _as(word: str, other: str) -> str:
    """In the capitals of the word it stands for."""
    if len(word) > 1 and word.isupper():
        return other.upper()
    return other[:1].upper() + other[1:] if word[:1].isupper() else other


def _by_translation(
    rows: Sequence[Example], languages: Mapping[str, str | None], translate: Translate
) -> list[tuple[str, Example, list[str]]]:
    found = []
    for language in LANGUAGES:
        own = [row for row in rows if languages[row.id] == language]
        texts = [text for row in own for text in _texts(row)]
        if not texts:
            continue
        there = translate(texts, language, OTHER[language])
        back = iter(translate(there, OTHER[language], language))
        found += [("back_translation1", row, [next(back) for _ in _texts(row)]) for row in own]
    return found


# ---------------------------------------------------------------------------- rows


def _texts(row: Example) -> list[str]:
    """What is asked and may be said otherwise: the text or texts, or the last turn of the user."""
    if isinstance(row, LabelledExample | NumberExample):
        return [row.text] if row.second is None else [row.text, row.second]
    assert isinstance(row, ChatExample)
    return [row.messages[_asked(row)].content]


def _asked(row: ChatExample) -> int:
    return max(i for i, message in enumerate(row.messages) if message.role == "user")


def _with_texts(row: Example, texts: Sequence[str], mark: str) -> Example:
    """The row with these texts, its own id, and the group of its origin."""
    facts: dict[str, Any] = {
        "id": f"{row.id}:{mark}",
        "where": f"{row.where} ({_way(mark)})",
        "group": row.group or row.id,
    }
    if isinstance(row, LabelledExample | NumberExample):
        second = texts[1] if row.second is not None else None
        return replace(row, text=texts[0], second=second, **facts)
    assert isinstance(row, ChatExample)
    messages = list(row.messages)
    place = _asked(row)
    messages[place] = replace(messages[place], content=texts[0])
    return replace(row, messages=tuple(messages), **facts)
