"""Rows of several sequences, and what an objective notes of them before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import pytest
import torch

from afina.methods import Full
from afina.models.load import load
from afina.models.sources import Base
from afina.tasks import Generate
from afina.train import observe
from afina.train.batches import collate, loss_tokens
from afina.train.observe import observed
from afina.train.rows import Rows
from afina.types import IGNORED, Batch, ChatExample, Encoded, Example, Loss, Network, Objective
from tests.tiny import Kind


def row(name: str, *lengths: int) -> Encoded:
    first, *others = (
        Encoded(name, tuple(range(5, 5 + n)), (IGNORED, *range(6, 5 + n))) for n in lengths
    )
    return Encoded(first.row, first.ids, first.targets, tuple(others))


def test_sequences_of_a_row_stand_one_after_the_other() -> None:
    rows = [row("a", 3, 5), row("b", 2, 2)]
    batch = collate(rows, kind="tokens", device=torch.device("cpu"))
    assert batch.lengths.tolist() == [3, 5, 2, 2]
    assert batch.row_of.tolist() == [0, 0, 1, 1]
    assert batch.rows == ("a", "b")
    assert batch.noted is None
    assert rows[0].tokens == 8
    assert rows[0].longest == 5
    assert loss_tokens(rows[0], "tokens") == 2 + 4
    assert loss_tokens(rows[0], "one_label") == 0


def test_spans_and_nothing_are_whole_numbers() -> None:
    spans = [Encoded("a", (5, 6, 7), (1, 2)), Encoded("b", (5, 6), (0, 0))]
    batch = collate(spans, kind="span", device=torch.device("cpu"))
    assert batch.targets.tolist() == [[1, 2], [0, 0]]
    bare = collate([Encoded("a", (5, 6), ())], kind="nothing", device=torch.device("cpu"))
    assert bare.targets.shape == (1, 0)


class Reference(Objective):
    """Notes the summed log-probability of each sequence."""

    name: Literal["reference"] = "reference"
    needs: ClassVar[tuple[type[Example], ...]] = (ChatExample,)

    def observe(self, network: Network, batch: Batch) -> torch.Tensor:
        each = network.token_logprobs(batch)
        counts = (batch.targets[:, 1:] != IGNORED).sum(1).tolist()
        return torch.stack([part.sum() for part in each.split(counts)])[:, None]

    def weight(self, batch: Batch) -> float:
        return float(len(batch.rows))

    def loss(self, network: Network, batch: Batch) -> Loss:
        raise AssertionError("not asked here")


def test_memory_is_kept_while_the_network_is_asked(
    tiny: Callable[[Kind], Base], monkeypatch: pytest.MonkeyPatch
) -> None:
    inside: list[bool] = []

    @contextmanager
    def kept() -> Iterator[Callable[[], object]]:
        inside.append(True)
        yield lambda: None
        inside.clear()

    class Looks(Reference):
        def observe(self, network: Network, batch: Batch) -> torch.Tensor:
            assert inside
            return super().observe(network, batch)

    monkeypatch.setattr(observe, "kept_memory", kept)
    model = load(tiny("llama"), Generate(answer="text"), Full())
    rows = Rows(tuple(row(str(i), 3, 4) for i in range(3)), "tokens")
    assert all(one.noted for one in observed(model, Looks(), rows))
    assert not inside


def test_an_objective_notes_each_sequence_once(tiny: Callable[[Kind], Base]) -> None:
    model = load(tiny("llama"), Generate(answer="text"), Full())
    rows = Rows(tuple(row(str(i), 3 + i % 4, 2 + i % 5) for i in range(11)), "tokens")
    found = observed(model, Reference(), rows)
    assert [r.row for r in found] == [r.row for r in rows.kept]
    for one in found:
        for sequence in one.sequences:
            alone = Encoded(sequence.row, sequence.ids, sequence.targets)
            batch = collate([alone], kind="tokens", device=model.device)
            with torch.no_grad():
                wanted = float(model.network.token_logprobs(batch).sum())
            assert sequence.noted[0] == pytest.approx(wanted, rel=1e-5)
    again = collate(found, kind="tokens", device=model.device)
    assert again.noted is not None
    assert again.noted.shape == (22, 1)
