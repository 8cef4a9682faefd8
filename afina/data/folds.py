"""k folds of the rows that are not sealed: each row is measured once, by a model that never saw it.

The units are those of the split (rows of one input, near duplicates, groups), so nothing crosses from
one fold into another. What is learned with is divided once more, for the rows that choose the best
checkpoint. The sealed test is in none of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from afina.data import alike
from afina.data.clean import item_of
from afina.data.content import canonical, content_id, digest
from afina.data.dataset import Dataset
from afina.data.sealed import SealedTest
from afina.data.split import Unit, units_of
from afina.errors import DataError
from afina.recipe.knobs import Data
from afina.types import Example, Task


def folds(dataset: Dataset, data: Data, task: Task, count: int) -> tuple[Dataset, ...]:
    """The data set ``count`` times, each with another part of its open rows as the test.

    ``task`` as the recipe has it: each fold settles it by its own training rows. A file of its own for
    validation stays that in every fold. Raises DataError for a split by time, whose rows may not be
    exchanged, and for fewer different inputs (or groups) than folds.
    """
    if data.split.by == "time":
        raise DataError(
            "rows that are divided by time make no folds: a model would be measured on rows that are "
            "older than those it learned from",
            where="data.split.by",
            do="leave --folds out; the newest rows are the measure",
        )
    own_file = data.validation is not None
    pool = dataset.train if own_file else (*dataset.train, *dataset.validation)
    keep_near = dataset.check.near_duplicates.handling == "keep"
    resolved = task.resolve(pool)
    units = _units(pool, data, resolved, keep_near)
    if len(units) < count:
        what = "groups" if data.split.by == "group" else "different inputs"
        raise DataError(
            f"{len(units)} {what} cannot fill {count} folds",
            where="--folds",
            do=f"at most {len(units)}, or add examples",
        )
    parts = _dealt(units, len(pool), count)
    pieces = max(2, round(len(pool) / max(1, len(dataset.validation))))
    made = []
    for number in range(count):
        held = [e for e, part in zip(pool, parts, strict=True) if part == number]
        rest = [e for e, part in zip(pool, parts, strict=True) if part != number]
        validation: Sequence[Example] = dataset.validation if own_file else ()
        inside = _units(rest, data, resolved, keep_near)
        if not own_file and dataset.validation and len(inside) > 1:
            inner = _dealt(inside, len(rest), min(pieces, len(inside)))
            validation = [e for e, part in zip(rest, inner, strict=True) if part == 0]
            rest = [e for e, part in zip(rest, inner, strict=True) if part != 0]
        made.append(_fold(dataset, resolved, rest, validation, held, (number, count)))
    return tuple(made)


def _fold(
    dataset: Dataset,
    task: Task,
    train: Sequence[Example],
    validation: Sequence[Example],
    held: Sequence[Example],
    place: tuple[int, int],
) -> Dataset:
    rows = {"train": train, "validation": validation, "test": held}
    named = {part: [[e.id, content_id(e)] for e in examples] for part, examples in rows.items()}
    return replace(
        dataset,
        task=task.settle(train),
        train=tuple(train),
        validation=tuple(validation),
        test=SealedTest(held),
        fingerprint=digest(canonical({"of": dataset.fingerprint, "fold": place, "parts": named})),
        split={**dataset.split, "rows": {part: len(examples) for part, examples in rows.items()}},
    )


def _units(rows: Sequence[Example], data: Data, task: Task, keep_near: bool) -> list[Unit]:
    """What stays together, large ones first: small ones fill what they leave uneven."""
    items = [item_of(example, "train") for example in rows]
    near: Mapping[str, str] = {} if keep_near else alike.find(items).group
    by = data.split.by
    stratum: Callable[[Example], str | None] = (
        task.stratum if by in ("stratified", "group") else lambda _: None
    )
    units = units_of(items, stratum, data.split.seed, by == "group", near)
    return sorted(units, key=lambda u: (-len(u.rows).bit_length(), u.rank))


def _dealt(units: Sequence[Unit], rows: int, count: int) -> list[int]:
    """The fold of each row: whole units, each stratum and the rows in all as even as units allow."""
    have: list[Counter[str]] = [Counter() for _ in range(count)]
    totals = [0] * count
    parts = [0] * rows
    for unit in units:
        own = unit.stratum
        fold = min(range(count), key=lambda f: (totals[f] > 0, have[f][own], totals[f], f))
        have[fold].update(unit.strata)
        totals[fold] += len(unit.rows)
        for row in unit.rows:
            parts[row] = fold
    return parts
