"""Whole groups to splits, in proportion to the strata as well as whole groups allow."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol


class Unit(Protocol):
    """Rows that stay together (``split.Unit``)."""

    @property
    def rows(self) -> tuple[int, ...]: ...
    @property
    def rank(self) -> str: ...
    @property
    def strata(self) -> Mapping[str, int]: ...


def assign_groups(
    units: Sequence[Unit], shares: Mapping[str, float]
) -> tuple[list[str], list[str]]:
    """A part for each unit, and notes.

    Greedy, large groups first (of about equal size in the seeded order): each goes where the
    squared distance from the wished counts, in each stratum and over all, shrinks most. Then every
    stratum of two groups or more gets one in train, and every part gets a group.
    """
    wished = _wished(units, shares)
    have: dict[str, Counter[str]] = {part: Counter() for part in shares}
    parts = [""] * len(units)
    order = sorted(
        range(len(units)), key=lambda i: (-len(units[i].rows).bit_length(), units[i].rank)
    )
    for i in order:
        best = min(shares, key=lambda p: (_cost(units[i], wished[p], have[p], wished), p))
        parts[i] = best
        have[best].update(_weights(units[i]))
    _teach_every_stratum(units, parts)
    _fill_empty(units, parts, shares)
    return parts, _notes(units, parts)


def _weights(unit: Unit) -> Counter[str]:
    """Rows by stratum; ``\\0`` stands for all rows."""
    return Counter({**unit.strata, "\0": len(unit.rows)})


def _wished(units: Sequence[Unit], shares: Mapping[str, float]) -> dict[str, dict[str, float]]:
    totals: Counter[str] = Counter()
    for unit in units:
        totals.update(_weights(unit))
    return {part: {s: n * share for s, n in totals.items()} for part, share in shares.items()}


def _cost(
    unit: Unit,
    wished: Mapping[str, float],
    have: Mapping[str, int],
    all_wished: Mapping[str, Mapping[str, float]],
) -> float:
    """By how much the squared distance from the wished counts grows; relative to each total."""
    cost = 0.0
    for stratum, rows in _weights(unit).items():
        total = sum(part[stratum] for part in all_wished.values())
        before = have.get(stratum, 0) - wished[stratum]
        cost += ((before + rows) ** 2 - before**2) / total
    return cost


def _groups_of(units: Sequence[Unit], parts: Sequence[str], part: str) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for i, unit in enumerate(units):
        if parts[i] == part:
            for stratum in unit.strata:
                found[stratum].append(i)
    return found


def _teach_every_stratum(units: Sequence[Unit], parts: list[str]) -> None:
    strata = sorted({s for u in units for s in u.strata})
    for stratum in strata:
        members = [i for i, u in enumerate(units) if stratum in u.strata]
        if len(members) < 2 or any(parts[i] == "train" for i in members):
            continue
        smallest = min(members, key=lambda i: (len(units[i].rows), units[i].rank))
        parts[smallest] = "train"


def _fill_empty(units: Sequence[Unit], parts: list[str], shares: Mapping[str, float]) -> None:
    """A group for a part that has none: one that train can spare, small ones first."""
    for part in sorted(shares, key=lambda p: (p == "train", p)):
        if part in parts:
            continue
        counts = Counter(parts)
        donors = [i for i, p in enumerate(parts) if counts[p] > 1]
        in_train = _groups_of(units, parts, "train")

        def loss(i: int, taught: Mapping[str, list[int]] = in_train) -> tuple[int, int, str]:
            only = sum(taught[s] == [i] for s in units[i].strata) if parts[i] == "train" else 0
            return only, len(units[i].rows), units[i].rank

        parts[min(donors, key=loss)] = part


def _notes(units: Sequence[Unit], parts: Sequence[str]) -> list[str]:
    strata = {s for u in units for s in u.strata}
    untaught = sorted(s for s in strata - set(_groups_of(units, parts, "train")) if s)
    if not untaught:
        return []
    named = ", ".join(untaught[:5]) + (" …" if len(untaught) > 5 else "")
    plural = "class stands" if len(untaught) == 1 else "classes stand"
    return [f"{len(untaught)} {plural} in no training group ({named}): too few groups hold it"]
