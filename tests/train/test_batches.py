"""The order of rows: a pure function of the seed and the step."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from afina.train.batches import Schedule, collate, micro_batches
from afina.types import IGNORED, Encoded


@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=200),
    batch=st.integers(1, 40),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_each_epoch_sees_every_row_once(lengths: list[int], batch: int, seed: int) -> None:
    schedule = Schedule(lengths, batch, seed)
    for epoch in range(2):
        steps = range(epoch * schedule.steps_per_epoch, (epoch + 1) * schedule.steps_per_epoch)
        seen = [row for step in steps for row in schedule.step(step)]
        assert sorted(seen) == list(range(len(lengths)))


def test_a_step_is_the_same_whatever_was_asked_before() -> None:
    lengths = [(i * 7) % 31 + 1 for i in range(100)]
    forward = Schedule(lengths, 8, 3)
    in_order = [forward.step(s) for s in range(39)]
    backward = Schedule(lengths, 8, 3)
    assert [backward.step(s) for s in reversed(range(39))] == in_order[::-1]


def test_epochs_and_seeds_differ() -> None:
    lengths = [10] * 64
    one = Schedule(lengths, 8, 1)
    first, second = [one.step(s) for s in range(8)], [one.step(s) for s in range(8, 16)]
    assert first != second
    assert first != [Schedule(lengths, 8, 2).step(s) for s in range(8)]


def test_rows_of_like_length_share_a_batch() -> None:
    lengths = [(i * 37) % 100 + 1 for i in range(1600)]
    schedule = Schedule(lengths, 16, 0)
    padded = total = 0
    for step in range(schedule.steps_per_epoch):
        chosen = [lengths[r] for r in schedule.step(step)]
        padded += max(chosen) * len(chosen)
        total += sum(chosen)
    assert padded / total < 1.15  # at random it would be nearly 2


def test_micro_batches_hold_every_row_and_the_longest_first() -> None:
    rows = [Encoded(str(i), tuple(range(i + 1)), (1,) * (i + 1)) for i in range(7)]
    parts = micro_batches(rows, 3)
    assert [len(p) for p in parts] == [3, 3, 1]
    assert sorted(r.row for p in parts for r in p) == [str(i) for i in range(7)]
    assert len(parts[0][0].ids) == 7


@pytest.mark.parametrize("labelled", [True, False])
def test_collate_pads_on_the_right(labelled: bool) -> None:
    rows = [
        Encoded("a", (5, 6, 7), (1.0, 0.0) if labelled else (IGNORED, 6, 7)),
        Encoded("b", (8,), (0.0, 1.0) if labelled else (8,)),
    ]
    batch = collate(rows, kind="one_label" if labelled else "tokens", device=torch.device("cpu"))
    assert batch.ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert batch.lengths.tolist() == [3, 1]
    if labelled:
        assert batch.targets.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    else:
        assert batch.targets.tolist() == [[IGNORED, 6, 7], [8, IGNORED, IGNORED]]
