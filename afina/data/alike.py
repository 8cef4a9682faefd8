"""Near duplicates among the rows: which there are, and what is done with them before the split.

Rows are near duplicates if their normalised inputs are (``near``). Kept together, no two of them
stand in different splits, so the test is not made easier by rows that were all but learned.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from afina.data.clean import Item
from afina.data.content import answer_text, normalise
from afina.data.near import SIMILARITY, Families, near_pairs
from afina.data.reading import Drop
from afina.data.shingles import jaccard, shingles
from afina.types import LabelledExample, QuestionExample

Handling = Literal["keep", "group", "drop"]
MOST_LISTED = 10_000
"""Pairs that are listed; the counts cover all."""
SHOWN = 20
"""Pairs given as examples; the counts cover all."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two rows that are near duplicates; the first of each where several rows have one input."""

    ids: tuple[str, str]
    where: tuple[str, str]
    similarity: float


@dataclass(frozen=True)
class NearDuplicates:
    """What was found before anything was done about it, and what was done."""

    pairs: tuple[NearPair, ...]
    """The most alike first, at most 10,000 of them."""
    found: int
    """Pairs found; of a large family they are not all."""
    groups: int
    rows: int
    """Rows that have a near duplicate."""
    largest: int
    """Rows of the largest group."""
    handling: Handling
    reason: str
    """Why they are handled so, in an English sentence."""
    chosen: bool
    across: Mapping[str, int]
    """After the split: rows of ``validation`` and ``test`` whose group has rows in train."""

    def as_dict(self) -> dict[str, Any]:
        """For ``check.json``: whole counts, 20 pairs."""
        return {
            "similarity": SIMILARITY,
            "pairs": self.found,
            "groups": self.groups,
            "rows": self.rows,
            "largest_group": self.largest,
            "handling": self.handling,
            "reason": self.reason,
            "across": dict(self.across),
            "examples": [
                {"where": list(p.where), "similarity": round(p.similarity, 3)}
                for p in self.pairs[:SHOWN]
            ],
        }


@dataclass(frozen=True)
class Alike:
    """Near duplicates by what ``Item.near`` says."""

    near: Mapping[str, Mapping[str, float]]
    """For each input that has any: its near ones, with the similarity."""
    group: Mapping[str, str]
    """For each of these inputs, the least input of its group (all that hang together by pairs)."""

    def neighbours(self, item: Item) -> Mapping[str, float]:
        """The inputs near to that of a row."""
        return self.near.get(item.near, {})


def find(items: Iterable[Item]) -> Alike:
    """Near duplicates of all rows of all parts; nothing depends on their order."""
    texts = sorted({item.near for item in items})
    near: dict[str, dict[str, float]] = defaultdict(dict)
    families = Families(len(texts))
    for pair in near_pairs(texts):
        first, second = texts[pair.first], texts[pair.second]
        near[first][second] = near[second][first] = pair.similarity
        families.join(pair.first, pair.second)
    group = {text: texts[families.root(i)] for i, text in enumerate(texts) if text in near}
    return Alike(dict(near), group)


def decide(
    wished: Handling | None,
    alike: Alike,
    items: Sequence[Item],
    least_share: float,
    own_files: bool,
) -> tuple[Handling, str]:
    """How they are handled, and why. ``least_share``: of the smallest part that is to be made;
    ``own_files``: whether validation or test is a file of its own, as published tests are.
    """
    if wished is not None:
        return wished, "as the recipe says"
    largest = max(_sizes(alike, items).values(), default=0)
    if not largest:
        return "group", "there are none"
    if own_files:
        return "keep", "a file of its own is measured against the training rows as they were given"
    if largest > least_share * len(items):
        reason = (
            f"{largest:,} of {len(items):,} rows hang together as near duplicates, as rows made "
            "from patterns do; kept together they would not fit into the smallest split"
        )
        return "keep", reason
    return "group", "a test row that was all but learned would make the test easier than the work"


def drop_repeats(items: Sequence[Item], alike: Alike) -> tuple[list[Item], list[Drop]]:
    """One row of near duplicates with the same answer, within each part: the one with the least id.

    A row goes only if a near one stays, so no chain of small steps removes what is different.
    """
    at: dict[tuple[str, str], list[Item]] = defaultdict(list)
    instead: dict[str, Item] = {}
    for item in sorted(items, key=lambda i: i.example.id):
        others = [o for text in (item.near, *alike.neighbours(item)) for o in at[item.part, text]]
        twin = next((o for o in others if _same_answer(item, o)), None)
        if twin is None:
            at[item.part, item.near].append(item)
        else:
            instead[item.example.id] = twin
    kept = [i for i in items if i.example.id not in instead]
    drops = [
        Drop(i.example.id, i.example.where, "near_duplicate", instead[i.example.id].example.where)
        for i in items
        if i.example.id in instead
    ]
    return kept, drops


def drop_overlap(items: Sequence[Item], alike: Alike) -> tuple[list[Item], list[Drop]]:
    """Training rows of a group that has rows in a validation or test file; validation likewise."""
    places: dict[tuple[str, str], str] = {}
    for item in items:
        if item.near in alike.group:
            places.setdefault((item.part, alike.group[item.near]), item.example.where)
    later = {"train": ("test", "validation"), "validation": ("test",), "test": ()}
    kept, drops = [], []
    for item in items:
        group = alike.group.get(item.near, "")
        other = next((p for p in later[item.part] if (p, group) in places), None)
        if other is None:
            kept.append(item)
        else:
            place = places[other, group]
            drops.append(Drop(item.example.id, item.example.where, f"near_{other}", place))
    return kept, drops


def describe(
    alike: Alike,
    items: Sequence[Item],
    handling: tuple[Handling, str],
    chosen: bool,
    parts: Mapping[str, Sequence[Item]],
) -> NearDuplicates:
    """The figures. ``items``: all rows that were looked at; ``parts``: the rows of each split."""
    first: dict[str, Item] = {}
    for item in items:
        first.setdefault(item.near, item)
    every = (
        (-similarity, one, other)
        for one, others in alike.near.items()
        for other, similarity in others.items()
        if one < other
    )
    pairs = tuple(
        NearPair(
            (first[one].example.id, first[other].example.id),
            (first[one].example.where, first[other].example.where),
            -less,
        )
        for less, one, other in heapq.nsmallest(MOST_LISTED, every)
    )
    sizes = _sizes(alike, items)
    learned = {alike.group[i.near] for i in parts["train"] if i.near in alike.group}
    across = {
        part: sum(alike.group.get(item.near) in learned for item in parts[part])
        for part in ("validation", "test")
    }
    return NearDuplicates(
        pairs,
        sum(map(len, alike.near.values())) // 2,
        len(sizes),
        sum(sizes.values()),
        max(sizes.values(), default=0),
        *handling,
        chosen,
        across,
    )


def _sizes(alike: Alike, items: Iterable[Item]) -> dict[str, int]:
    """Rows of each group."""
    sizes: dict[str, int] = defaultdict(int)
    for item in items:
        if item.near in alike.group:
            sizes[alike.group[item.near]] += 1
    return sizes


def _same_answer(one: Item, other: Item) -> bool:
    """Equal labels; for written answers, near duplicates; other questions are no repeats."""
    if isinstance(one.example, QuestionExample) and one.normal != other.normal:
        return False
    if isinstance(one.example, LabelledExample):
        return answer_text(one.example) == answer_text(other.example)
    first, second = (normalise(answer_text(i.example)) for i in (one, other))
    return first == second or jaccard(*shingles([first, second]).sets()) >= SIMILARITY
