"""Whose turn it is: which of a run's tasks each step learns from, and which of its rows.

A pure function of the seed and the step, like the order of the rows, so a resume sees the same. An
epoch gives every task its number of turns, in an order that is drawn anew; a task goes on with its
own epochs wherever it stopped, so that none of its rows is favoured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from afina.recipe import Recipe
from afina.train.batches import Schedule


def turns_of(recipe: Recipe, rows: Mapping[str, int], batch_size: int) -> dict[str, int]:
    """Steps of each task in an epoch, at least one, from its number of rows.

    ``proportional``: as many as its rows fill, so that an epoch sees every row once. All other ways
    divide as many steps by the tasks' shares; T as in Raffel et al. 2020 (arXiv 1910.10683).
    """
    own = {task: -(-count // batch_size) for task, count in rows.items()}
    weights = {task: part.weight for task, part in recipe.tasks.items() if part.weight is not None}
    mixing = recipe.train.mixing
    if weights:
        shares = dict(weights)
    elif mixing in (None, "proportional"):
        return own
    elif mixing == "equal":
        shares = dict.fromkeys(own, 1.0)
    else:
        shares = {task: count ** (1.0 / float(mixing or 1)) for task, count in rows.items()}
    each = sum(own.values()) / sum(shares.values())
    return {task: max(1, round(shares[task] * each)) for task in own}


class Turns:
    """The steps of a run. ``lengths``: of each task's rows; ``turns``: its steps in an epoch."""

    def __init__(
        self,
        lengths: Mapping[str, Sequence[int]],
        turns: Mapping[str, int],
        batch_size: int,
        seed: int,
    ) -> None:
        self._schedules = {n: Schedule(own, batch_size, seed) for n, own in lengths.items()}
        self._turns = dict(turns)
        self._seed = seed
        self.steps_per_epoch = sum(self._turns.values())

    def step(self, step: int) -> tuple[str, list[int]]:
        """The task of optimiser step ``step`` (from 0), and the numbers of its rows."""
        epoch, index = divmod(step, self.steps_per_epoch)
        order = self._order(epoch)
        task = order[index]
        own = epoch * self._turns[task] + order[:index].count(task)
        return task, self._schedules[task].step(own)

    def _order(self, epoch: int) -> list[str]:
        every = [task for task, turns in self._turns.items() for _ in range(turns)]
        if len(self._turns) == 1:
            return every
        drawn = np.random.default_rng([self._seed, epoch, 1]).permutation(len(every))
        return [every[i] for i in drawn]
