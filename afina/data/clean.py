"""Which rows stay: each one that goes is listed with its reason. Nothing depends on their order."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from afina.data.content import canonical, content, digest, near_input, normal_input
from afina.data.reading import Drop, Reading
from afina.errors import DataError
from afina.types import Example

KEY_CHARACTERS = 32
"""Of a SHA-256 in hexadecimal: 128 bits tell any rows apart, and a million of them cost memory."""
PARTS = ("train", "validation", "test")


class Item(NamedTuple):
    """An example on its way to a split, with what it is compared by."""

    example: Example
    part: str
    """Where its file belongs: ``train``, ``validation`` or ``test``."""
    row_key: str
    """Equal for rows with the same input and the same answer."""
    normal: str
    """The normalised input; rows that share it never come into different splits."""
    near: str
    """What near duplicates are told by: the normalised input, or the part of it that many rows share."""
    input_key: str
    """The normalised input with the tools that may be called: what an answer answers."""


def items_of(readings: Mapping[str, Reading]) -> list[Item]:
    """All rows of all parts, each with its own id (``train:ID`` where the test has it too)."""
    taken: set[str] = set()
    by_part: dict[str, list[Item]] = {}
    for part in reversed(PARTS):
        by_part[part] = []
        for example in readings[part].examples if part in readings else ():
            name = example.id if example.id not in taken else f"{part}:{example.id}"
            taken.add(name)
            own = example if name == example.id else replace(example, id=name)
            by_part[part].append(item_of(own, part))
    return [item for part in PARTS for item in by_part[part]]


def item_of(example: Example, part: str) -> Item:
    """A row of a part with what it is compared by."""
    value = content(example)
    value.pop("group", None)
    value.pop("time", None)
    if "labels" in value:
        value["labels"] = sorted(value["labels"])
    normal = normal_input(example)
    tools = value.get("tools")
    key = normal if not tools else f"{normal}\n{canonical(tools)}"
    row_key = digest(canonical(value))[:KEY_CHARACTERS]
    return Item(example, part, row_key, normal, near_input(example, normal), key)


def refuse_same_files(items: Iterable[Item]) -> None:
    """Raises DataError if two parts hold exactly the same rows."""
    rows: dict[str, set[str]] = defaultdict(set)
    for item in items:
        rows[item.part].add(item.row_key)
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if rows[first] and rows[first] == rows[second]:
            raise DataError(
                f"holds the same rows as data.{first}",
                where=f"data.{second}",
                do=f"name other rows, or leave data.{second} out: the split makes one",
            )


def drop_duplicates(items: Sequence[Item]) -> tuple[list[Item], list[Drop]]:
    """Within each part one row of those with equal input and answer: the one with the least id."""
    first: dict[tuple[str, str], Item] = {}
    for item in items:
        key = (item.part, item.row_key)
        if key not in first or item.example.id < first[key].example.id:
            first[key] = item
    kept, drops = [], []
    for item in items:
        stays = first[item.part, item.row_key]
        if stays is item:
            kept.append(item)
        else:
            drops.append(
                Drop(item.example.id, item.example.where, "duplicate", stays.example.where)
            )
    return kept, drops


def drop_overlap(items: Sequence[Item]) -> tuple[list[Item], list[Drop]]:
    """Rows of train whose input stands in validation or test, and of validation if in the test."""
    places: dict[str, dict[str, str]] = {part: {} for part in PARTS}
    for item in items:
        places[item.part].setdefault(item.normal, item.example.where)
    later = {"train": ("test", "validation"), "validation": ("test",), "test": ()}
    kept, drops = [], []
    for item in items:
        other = next((p for p in later[item.part] if item.normal in places[p]), None)
        if other is None:
            kept.append(item)
        else:
            where = places[other][item.normal]
            drops.append(Drop(item.example.id, item.example.where, f"in_{other}", where))
    return kept, drops


def drop_groups(
    items: Sequence[Item], groups: Sequence[Sequence[Item]], reason: str
) -> tuple[list[Item], list[Drop]]:
    """All rows of these groups."""
    out = {item.example.id for rows in groups for item in rows}
    kept = [item for item in items if item.example.id not in out]
    gone = [item.example for item in items if item.example.id in out]
    return kept, [Drop(e.id, e.where, reason) for e in gone]


def draw(items: Sequence[Item], limit: int | None, seed: int) -> tuple[list[Item], list[Drop]]:
    """At most ``limit`` rows of train, chosen by content and seed; other parts stay whole."""
    train = [i for i in items if i.part == "train"]
    if limit is None or len(train) <= limit:
        return list(items), []
    ranked = sorted(train, key=lambda i: digest(f"limit {seed} {i.example.id}"))
    out = {i.example.id for i in ranked[limit:]}
    kept = [i for i in items if i.example.id not in out]
    return kept, [
        Drop(i.example.id, i.example.where, "limit") for i in train if i.example.id in out
    ]


def count_repeats(items: Iterable[Item], key: Callable[[Item], str]) -> int:
    """Rows that share the key with an earlier row of their part."""
    counts = Counter((i.part, key(i)) for i in items)
    return sum(n - 1 for n in counts.values())


def refuse_nothing_left(kept: Sequence[Item], drops: Sequence[Drop]) -> None:
    """Raises DataError with the reasons if no training row is left (D30)."""
    if any(item.part == "train" for item in kept):
        return
    reasons = Counter(d.reason for d in drops)
    told = ", ".join(f"{n:,} {reason}" for reason, n in reasons.most_common())
    raise DataError(
        f"0 rows are left to learn from ({told or 'the file is empty'})",
        where="data.train",
        do="mend the rows; data.duplicates and data.contradictions can keep some",
    )
