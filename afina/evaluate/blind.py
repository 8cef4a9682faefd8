"""A blind comparison of two candidates: the form that people fill in, and the key that is kept apart.

The form holds questions and two answers each, in shuffled order and on shuffled sides; who said what
stands in the key alone. Rows on which both said the same are not asked about: they are ties.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any, Literal

from afina.data.content import canonical, composed, digest
from afina.data.sheets import check_sheet, read_sheet, text_of
from afina.errors import CorruptError, DataError

Choice = Literal["a", "b", "tie"]
CHOICES: tuple[Choice, ...] = ("a", "b", "tie")


@dataclass(frozen=True, slots=True)
class Item:
    """One question with two answers. ``first_is``: the side on which the first candidate stands."""

    item: str
    question: str
    a: str
    b: str
    first_is: Literal["a", "b"]


@dataclass(frozen=True)
class Key:
    """Everything about a form: who stands where, and what was not asked about."""

    first: str
    second: str
    items: tuple[Item, ...]
    people: int
    """How many of the items, the first ones, are in the form; the others are for a model alone."""
    identical: int
    """Rows on which both candidates said the same."""
    facts: Mapping[str, Any]
    """Where the questions come from."""

    @property
    def form(self) -> str:
        """The form's name: a fingerprint of what stands in it."""
        return digest(canonical([_shown(item) for item in self.items]))[:16]

    @property
    def asked(self) -> tuple[Item, ...]:
        """The items of the form."""
        return self.items[: self.people]

    def as_dict(self) -> dict[str, Any]:
        """The key file: readable, and with a hash by which a slip of an editor is noticed."""
        value = {
            "first": self.first,
            "second": self.second,
            "people": self.people,
            "identical": self.identical,
            "facts": dict(self.facts),
            "items": [asdict(item) for item in self.items],
        }
        return {"form": self.form, "sha256": digest(canonical(value)), **value}


@dataclass(frozen=True)
class Filled:
    """The answers of one judge: item to the chosen side."""

    judge: str
    choices: Mapping[str, Choice]


def make_key(
    questions: Sequence[str],
    first: tuple[str, Sequence[str]],
    second: tuple[str, Sequence[str]],
    *,
    seed: int,
    people: int | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Key:
    """Shuffle rows and sides. ``first`` and ``second``: a candidate's name and its answers.

    ``people``: how many items the form gets (left out: all). Raises DataError if both candidates gave
    the same answers throughout.
    """
    dice = Random(seed)
    order = list(range(len(questions)))
    dice.shuffle(order)
    different = [i for i in order if composed(first[1][i]) != composed(second[1][i])]
    if not different:
        raise DataError(
            f"{first[0]} and {second[0]} gave the same {len(questions)} answers",
            where="afina judge",
            do="there is nothing to compare; ask other questions, or compare with another candidate",
        )
    items = []
    for number, i in enumerate(different, 1):
        swapped = dice.random() < 0.5
        a, b = (second[1][i], first[1][i]) if swapped else (first[1][i], second[1][i])
        items.append(Item(str(number), questions[i], a, b, "b" if swapped else "a"))
    shown = len(items) if people is None else min(people, len(items))
    identical = len(questions) - len(items)
    return Key(first[0], second[0], tuple(items), shown, identical, facts or {})


def read_key(path: Path) -> Key:
    """Raises DataError where there is none, CorruptError if it is not what was written."""
    try:
        value = json.loads(path.read_text("utf-8"))
        told = {"form": value.pop("form"), "sha256": value.pop("sha256")}
        items = tuple(Item(**item) for item in value["items"])
        key = Key(**{**value, "items": items})
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}",
            where=str(path),
            do="name the folder that afina judge RUN wrote",
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        raise _no_key(path) from None
    if told["sha256"] != digest(canonical(value)) or told["form"] != key.form:
        raise _no_key(path)
    return key


def _no_key(path: Path) -> CorruptError:
    return CorruptError(
        "the key no longer has the content it was written with",
        where=str(path),
        do="restore it from a copy; without it nobody knows who said what",
    )


# ---------------------------------------------------------------------------- the form


def _shown(item: Item) -> dict[str, str]:
    return {"item": item.item, "question": item.question, "a": item.a, "b": item.b}


def rows_of(key: Key) -> list[dict[str, str]]:
    """The form's rows by column, with nothing chosen."""
    return [{"form": key.form, **_shown(item), "choice": ""} for item in key.asked]


# ---------------------------------------------------------------------------- what comes back


def read_filled(path: Path, key: Key) -> Filled:
    """A form that was filled in: the JSON of the page, or the CSV or JSON lines.

    The judge is the name in the JSON, else the file's. Raises DataError for a form of another
    comparison, for one whose texts were changed, and for items that are missing, twice, unknown, or
    without a choice.
    """
    rows, judge = _saved(path) if path.suffix == ".json" else (read_sheet(path), path.stem)
    check_sheet(path.name, rows, key.form, {i.item: _shown(i) for i in key.asked}, "choice")
    return Filled(judge, {row["item"]: _choice(row, path) for row in rows})


def _choice(row: Mapping[str, str], path: Path) -> Choice:
    said = row["choice"].strip().lower()
    found = next((choice for choice in CHOICES if said == choice), None)
    if found is None:
        raise DataError(
            f"the choice is {said[:20]!r}",
            where=f"{path.name}: item {row['item']}",
            do="a, b or tie",
        )
    return found


def _saved(path: Path) -> tuple[list[dict[str, str]], str]:
    """The rows and the judge of a file that the page saved."""
    try:
        value = json.loads(text_of(path))
        judge = str(value["judge"]).strip() or path.stem
        form, choices = str(value["form"]), dict(value["choices"])
    except (ValueError, TypeError, KeyError):
        raise DataError(
            "is no filled form", where=path.name, do="give the file that the page saved"
        ) from None
    return [{"form": form, "item": str(i), "choice": str(c)} for i, c in choices.items()], judge


__all__ = ["CHOICES", "Choice", "Filled", "Item", "Key", "make_key", "read_filled", "read_key"]
