"""Who learns, who chooses, who judges: a division that depends on content and seed only.

Rows whose normalised input is the same, or nearly so where that is asked for (and, by group, rows
of one group) make a unit, and a unit is never divided. Units are ordered by a hash of seed and
content, so the order of the file, and rows that are not there any more, do not change the place of
the others more than they must.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from afina.data.clean import KEY_CHARACTERS, PARTS, Item
from afina.data.content import digest
from afina.data.groups import assign_groups
from afina.errors import DataError
from afina.recipe.knobs import Split
from afina.types import Example

Shares = Mapping[str, float]


class Unit(NamedTuple):
    """Rows that stay together."""

    rows: tuple[int, ...]
    rank: str
    """Place in the seeded order."""
    strata: Mapping[str, int]
    time: str

    @property
    def stratum(self) -> str:
        """The stratum of most rows; of equals, the first by name."""
        return min(self.strata, key=lambda s: (-self.strata[s], s))


@dataclass(frozen=True, slots=True)
class Division:
    """The outcome: a part for each row, and what is to be said about it."""

    parts: tuple[str, ...]
    notes: tuple[str, ...]
    together: int
    """Rows that had to stay with another one."""


def divide(
    items: Sequence[Item],
    stratum: Callable[[Example], str | None],
    settings: Split,
    shares: Shares,
    near: Mapping[str, str] | None = None,
) -> Division:
    """Divide rows by the settings. ``shares`` names the parts to fill, adding up to 1.

    ``near`` gives the name of a group to inputs that are near duplicates: they stay together too.
    Each part gets at least one row. Raises DataError if there are too few units for that.
    """
    by_group = settings.by == "group"
    keep_strata = settings.by in ("stratified", "group")
    units = units_of(
        items, stratum if keep_strata else lambda _: None, settings.seed, by_group, near or {}
    )
    _refuse_too_few(units, shares, by_group)
    if len(shares) == 1:
        parts, notes = [next(iter(shares))] * len(units), list[str]()
    elif settings.by == "group":
        parts, notes = assign_groups(units, shares)
    elif settings.by == "time":
        parts, notes = _by_time(units, shares)
    else:
        parts, notes = _in_proportion(units, shares)
    of_row = [""] * len(items)
    for unit, part in zip(units, parts, strict=True):
        for row in unit.rows:
            of_row[row] = part
    together = sum(len(u.rows) for u in units if len(u.rows) > 1)
    return Division(tuple(of_row), tuple(notes), together)


def _refuse_too_few(units: Sequence[Unit], shares: Shares, by_group: bool) -> None:
    if len(units) >= len(shares):
        return
    what = "group" if by_group else "different input"
    raise DataError(
        f"{len(units)} {what}{'' if len(units) == 1 else 's'} cannot fill {len(shares)} splits "
        f"({', '.join(shares)}): at least {len(shares)} are needed",
        where="data.split",
        do="add examples, give fewer splits a share (data.split.validation: 0), or leave "
        "data.near_duplicates out",
    )


# ---------------------------------------------------------------------------- units


def units_of(
    items: Sequence[Item],
    stratum: Callable[[Example], str | None],
    seed: int,
    by_group: bool,
    near: Mapping[str, str],
) -> list[Unit]:
    """Rows joined by equal or nearly equal input, and by group; in the seeded order."""
    parent = list(range(len(items)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, known: dict[str, int], key: str) -> None:
        first = known.setdefault(key, i)
        if first != i:
            parent[root(i)] = root(first)

    inputs: dict[str, int] = {}
    alike: dict[str, int] = {}
    groups: dict[str, int] = {}
    for i, item in enumerate(items):
        join(i, inputs, item.normal)
        if item.near in near or item.near != item.normal:
            join(i, alike, near.get(item.near, item.near))
        if by_group:
            join(i, groups, item.example.group or "")
    joined: dict[int, list[int]] = defaultdict(list)
    for i, above in enumerate(parent):
        if above != i:
            joined[root(i)].append(i)
    units = []
    alone: dict[str, dict[str, int]] = {}  # one table for all units of one row of a stratum
    for first, above in enumerate(parent):
        if above != first:
            continue
        rows = sorted((first, *joined.get(first, ())))
        least = min(items[i].normal for i in rows)
        counts: dict[str, int] = {}
        for i in rows:
            name = stratum(items[i].example) or ""
            counts[name] = counts.get(name, 0) + 1
        if len(rows) == 1:
            counts = alone.setdefault(name, counts)
        newest = max(items[i].example.time or "" for i in rows)
        rank = digest(f"split {seed} {least}")[:KEY_CHARACTERS]
        units.append(Unit(tuple(rows), rank, counts, newest))
    return sorted(units, key=lambda u: u.rank)


# ---------------------------------------------------------------------------- by time


def _by_time(units: Sequence[Unit], shares: Shares) -> tuple[list[str], list[str]]:
    """The newest rows to the test, those before them to validation, the rest to train."""
    parts = ["train"] * len(units)
    order = sorted(range(len(units)), key=lambda i: (units[i].time, units[i].rank))
    total = sum(len(u.rows) for u in units)
    names = [p for p in reversed(PARTS) if p in shares and p != "train"]
    for n, name in enumerate(names):
        wanted = max(1, round(total * shares[name]))
        must_stay = len(names) - n  # one unit for each part that is still to come, train included
        taken = 0
        while taken < wanted and len(order) > must_stay:
            unit = order[-1]
            if taken and taken + len(units[unit].rows) > wanted:
                break
            parts[order.pop()] = name
            taken += len(units[unit].rows)
    edges = [min(u.time for u, p in zip(units, parts, strict=True) if p == n) for n in names]
    return parts, [f"{n} begins at {edge}" for n, edge in zip(names, edges, strict=True)]


# ---------------------------------------------------------------------------- stratified, random


def _in_proportion(units: Sequence[Unit], shares: Shares) -> tuple[list[str], list[str]]:
    """From each stratum its share. What rounding leaves over goes on to the next stratum.

    The first unit of every stratum stays in train: what is never learned cannot be answered.
    """
    strata: dict[str, list[int]] = defaultdict(list)
    for i, unit in enumerate(units):
        strata[unit.stratum].append(i)
    parts = ["train"] * len(units)
    others = [p for p in reversed(PARTS) if p in shares and p != "train"]
    owed = dict.fromkeys(others, 0.0)
    for name in sorted(strata, key=lambda s: (-len(strata[s]), s)):
        _deal(units, strata[name], shares, owed, parts)
    _fill_empty(units, strata, others, parts)
    return parts, _small_strata(strata, len(shares))


def _deal(
    units: Sequence[Unit],
    members: Sequence[int],
    shares: Shares,
    owed: dict[str, float],
    parts: list[str],
) -> None:
    """Give each part its rows of one stratum, whole units in the seeded order."""
    rows = sum(len(units[i].rows) for i in members)
    free = list(members[1:])
    for part in owed:
        owed[part] += rows * shares[part]
        wanted = min(math.floor(owed[part] + 0.5), math.ceil(rows * shares[part]))
        rest = []
        for i in free:
            size = len(units[i].rows)
            if size <= wanted:
                parts[i] = part
                wanted -= size
                owed[part] -= size
            else:
                rest.append(i)
        free = rest


def _fill_empty(
    units: Sequence[Unit],
    strata: Mapping[str, Sequence[int]],
    others: Sequence[str],
    parts: list[str],
) -> None:
    """One unit for a part that got none: from where train loses least, and train keeps one."""
    for part in others:
        if part in parts:
            continue
        left = {n: [i for i in members if parts[i] == "train"] for n, members in strata.items()}
        largest = max(left, key=lambda n: (len(left[n]), n))
        if sum(len(members) for members in left.values()) > 1:
            smallest = min(left[largest], key=lambda i: (len(units[i].rows), units[i].rank))
            parts[smallest] = part
        else:
            donor = max(set(parts), key=lambda p: (parts.count(p), p))
            parts[parts.index(donor)] = part


def _small_strata(strata: Mapping[str, Sequence[int]], splits: int) -> list[str]:
    small = sorted(s for s, members in strata.items() if len(members) < splits)
    if not small or len(strata) == 1:
        return []
    named = ", ".join(small[:5]) + (" …" if len(small) > 5 else "")
    plural = "class has" if len(small) == 1 else "classes have"
    return [
        f"{len(small)} {plural} fewer than {splits} different inputs ({named}): not in every split"
    ]
