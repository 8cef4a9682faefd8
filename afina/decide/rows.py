"""Who decides, who chooses, who learns: three sets of rows that share none, and no sealed test.

The rows that decide are the validation rows of the recipe, locked: each way answers them once, and
nothing is chosen on them. What has to be chosen (a prompt, the best weights of a trial) is chosen
on rows taken out of the training rows. The sealed test is not opened: it proves the run later.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from afina.data import Dataset
from afina.data.sealed import rows_sha256
from afina.errors import DataError
from afina.types import Example, Task

LEAST_LOCKED = 10
LEAST_TRAINING = 16
CHOICE_SHARE = 0.15
MOST_CHOICE = 64


@dataclass(frozen=True)
class Rows:
    """The rows of a decision. ``sha256``: of the locked ones, whatever their order."""

    task: Task
    train: tuple[Example, ...]
    choice: tuple[Example, ...]
    locked: tuple[Example, ...]
    sealed: int
    sha256: str
    left_out: int = 0
    """Locked rows that are too long to be measured, by the recipe's rule for such rows."""

    @property
    def asked(self) -> Task:
        """The task as it is asked of the locked rows."""
        return self.task.over(self.locked, (*self.train, *self.choice))

    def as_dict(self) -> dict[str, Any]:
        return {
            "train": len(self.train),
            "choice": len(self.choice),
            "locked": len(self.locked),
            "locked_sha256": self.sha256,
            "locked_ids": [row.id for row in self.locked],
            "left_out_too_long": self.left_out,
            "sealed_test": self.sealed,
        }


def divide(dataset: Dataset, most_locked: int, seed: int) -> Rows:
    """Lock the validation rows (at most that many) and take rows to choose by from the training.

    Rows of one group stay together. Raises DataError where there are too few of either.
    """
    if len(dataset.validation) < LEAST_LOCKED:
        raise DataError(
            f"{len(dataset.validation)} validation rows are too few to decide by",
            where="data.split.validation",
            do=f"give it a larger share, or name a file in data.validation; {LEAST_LOCKED} rows at "
            "least, better a hundred",
        )
    if len(dataset.train) < LEAST_TRAINING:
        raise DataError(
            f"{len(dataset.train)} training rows are too few to try anything on",
            where="data.train",
            do=f"add examples: {LEAST_TRAINING} at least",
        )
    locked = shuffled(dataset.validation, seed)[:most_locked]
    wanted = max(4, min(MOST_CHOICE, round(CHOICE_SHARE * len(dataset.train))))
    sizes = Counter(row.group or row.id for row in dataset.train)
    chosen: set[str] = set()
    for row in shuffled(dataset.train, seed):
        if sum(sizes[unit] for unit in chosen) >= wanted:
            break
        chosen.add(row.group or row.id)
    choice = [row for row in dataset.train if (row.group or row.id) in chosen]
    return _checked(dataset, locked, choice)


def _checked(dataset: Dataset, locked: Sequence[Example], choice: Sequence[Example]) -> Rows:
    taken = {row.id for row in choice}
    train = tuple(row for row in dataset.train if row.id not in taken)
    if not train:
        raise DataError(
            "all training rows are of one group: none is left to choose by",
            where="data.split.column",
            do="name a column with more groups, or another data.split.by",
        )
    return Rows(
        dataset.task,
        train,
        tuple(choice),
        tuple(locked),
        len(dataset.test),
        rows_sha256(locked),
    )


def shuffled(rows: Sequence[Example], seed: int) -> list[Example]:
    """In an order that follows from the seed and the rows' ids, not from the file."""

    def rank(row: Example) -> str:
        return hashlib.sha256(f"{seed} {row.id}".encode("utf-8", "surrogatepass")).hexdigest()

    return sorted(rows, key=rank)
