"""The contrastive loss: equal to the plain formula, blind to doubles, exact however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn import functional

from afina.methods import Full, Lora
from afina.models.load import Model, load
from afina.models.sources import Base
from afina.objectives import Contrast
from afina.tasks import Embed, Rank
from afina.train.answered import Answered
from afina.train.batches import collate, micro_batches
from afina.train.gradients import accumulate, together
from afina.types import Batch, Encoded, PairExample
from tests.tiny import LINES, Kind

Tiny = Callable[[Kind], Base]
WORDS = " ".join(LINES[:2] + LINES[4:7]).split()


def rows(count: int, negatives: int = 0) -> list[PairExample]:
    def text(start: int, length: int) -> str:
        return " ".join(WORDS[(start * 3 + k) % len(WORDS)] for k in range(length))

    return [
        PairExample(
            id=str(i),
            where=f"row {i}",
            query=text(i, 2 + i % 3),
            positive=text(i + 7, 3 + i % 5),
            negatives=tuple(text(i + 20 + n, 4) for n in range(negatives)),
        )
        for i in range(count)
    ]


def batch_of(model: Model, examples: list[PairExample]) -> Batch:
    encoded = [model.task.encode(e, model.renderer) for e in examples]
    return collate(encoded, kind="nothing", device=model.device)


def bare(ids: list[list[int]], sequences: list[int]) -> Batch:
    """A batch of sequences of one token each; ``sequences`` of every row."""
    row_of = [row for row, count in enumerate(sequences) for _ in range(count)]
    return Batch(
        torch.tensor(ids),
        torch.ones(len(ids), dtype=torch.long),
        torch.empty(len(ids), 0),
        "nothing",
        torch.tensor(row_of),
    )


@pytest.mark.parametrize("negatives", [0, 2])
def test_the_loss_is_the_plain_formula(tiny: Tiny, negatives: int) -> None:
    """As sentence-transformers' MultipleNegativesRankingLoss at scale 20 has it."""
    model = load(tiny("minilm"), Embed(), Full())
    examples = rows(6, negatives)
    ours = Contrast().loss(model.network, batch_of(model, examples))

    def vectors(texts: list[str]) -> torch.Tensor:
        found = []
        for text in texts:  # one at a time: nothing is padded
            ids = torch.tensor([model.renderer.text(text)])
            found.append(model.network.core(input_ids=ids)[0][0].mean(0))
        return functional.normalize(torch.stack(found), dim=1)

    queries = vectors([e.query for e in examples])
    texts = vectors(
        [e.positive for e in examples]
        + [e.negatives[n] for n in range(negatives) for e in examples]
    )
    theirs = functional.cross_entropy(20.0 * queries @ texts.t(), torch.arange(6))
    assert float((ours.total / ours.weight - theirs).detach()) == pytest.approx(0, abs=1e-5)
    (ours.total / ours.weight).backward(retain_graph=True)  # type: ignore[no-untyped-call]
    found = {n: p.grad.clone() for n, p in model.trained().items() if p.grad is not None}
    model.network.zero_grad()
    theirs.backward()  # type: ignore[no-untyped-call]
    assert found
    for name, gradient in found.items():
        wanted = model.trained()[name].grad
        assert wanted is not None
        assert torch.allclose(gradient, wanted, atol=1e-5), name


@pytest.mark.parametrize(
    ("ids", "left_out"),
    [
        ([[1], [2], [3], [4]], set()),
        ([[1], [2], [3], [2]], {(0, 1), (1, 0)}),  # both rows have the same text
        ([[1], [2], [1], [4]], {(0, 1), (1, 0)}),  # one query, two texts that belong to it
        ([[1], [2], [3], [1]], {(0, 1)}),  # the second row's text is the first row's query
    ],
)
def test_what_is_not_wrong_is_not_held_against_a_query(
    ids: list[list[int]], left_out: set[tuple[int, int]]
) -> None:
    torch.manual_seed(1)
    vectors = torch.randn(4, 8)
    unit = functional.normalize(vectors, dim=1)
    scores = unit[[0, 2]] @ unit[[1, 3]].t() / 0.1
    for query, text in left_out:
        scores[query, text] = float("-inf")
    expected = functional.cross_entropy(scores, torch.arange(2), reduction="sum")
    loss = Contrast(temperature=0.1).loss(Answered(vectors=vectors), bare(ids, [2, 2]))
    assert float(loss.total) == pytest.approx(float(expected), abs=1e-5)
    assert loss.weight == 2


def test_what_many_chose_is_not_pushed_away_for_it() -> None:
    """Each score less the logarithm of how many rows its text stands in, in one pass as in several."""
    rows = [
        Encoded(str(i), (10 + i,), (), others=(Encoded(str(i), (text,), ()),))
        for i, text in enumerate((3, 3, 3, 4, 5))
    ]
    arranged = Contrast().arrange(rows)
    assert [row.others[0].worth for row in arranged] == [3, 3, 3, 1, 1]
    torch.manual_seed(1)
    vectors = torch.randn(6, 8)
    batch = collate(arranged[2:], kind="nothing", device=torch.device("cpu"))
    unit = functional.normalize(vectors, dim=1)
    scores = unit[[0, 2, 4]] @ unit[[1, 3, 5]].t() / 0.05
    corrected = scores - torch.tensor([3.0, 1.0, 1.0]).log()
    for objective, expected in ((Contrast(), corrected), (Contrast(popularity=False), scores)):
        wanted = float(functional.cross_entropy(expected, torch.arange(3), reduction="sum"))
        whole = objective.loss(Answered(vectors=vectors), batch)
        assert float(whole.total) == pytest.approx(wanted, abs=1e-5)
        passes = [collate([row], kind="nothing", device=vectors.device) for row in arranged[2:]]
        assert float(together(objective, vectors, passes).total) == pytest.approx(wanted, abs=1e-5)
    alone = Contrast().arrange(rows[2:])
    once = collate(alone, kind="nothing", device=vectors.device)
    losses = [
        o.loss(Answered(vectors=vectors), once).total
        for o in (Contrast(), Contrast(popularity=False))
    ]
    assert torch.equal(*losses)


def test_what_is_right_by_a_row_outside_the_batch_is_not_wrong() -> None:
    """By the same query, and by another row of the same person."""
    chosen = (((1,), 5, "ana"), ((2,), 6, "ana"), ((3,), 7, "eva"), ((1,), 7, "eva"))
    rows = [
        Encoded(str(i), query, (), (Encoded(str(i), (text,), ()),), group=person)
        for i, (query, text, person) in enumerate(chosen)
    ]
    arranged = Contrast(popularity=False).arrange(rows)
    torch.manual_seed(1)
    vectors = torch.randn(4, 8)
    unit = functional.normalize(vectors, dim=1)
    # Seen together: two rows; what is held against the first one's query is told by all four.
    for first, second, left_out in ((0, 1, {(0, 1), (1, 0)}), (0, 2, {(0, 1)}), (1, 2, set())):
        scores = unit[[0, 2]] @ unit[[1, 3]].t() / 0.05
        for place in left_out:
            scores[place] = float("-inf")
        wanted = float(functional.cross_entropy(scores, torch.arange(2), reduction="sum"))
        pair = [arranged[first], arranged[second]]
        batch = collate(pair, kind="nothing", device=vectors.device)
        loss = Contrast(popularity=False).loss(Answered(vectors=vectors), batch)
        assert float(loss.total) == pytest.approx(wanted, abs=1e-5), (first, second)


def test_a_recommendation_knows_whose_row_it_is(tiny: Tiny) -> None:
    model = load(tiny("minilm"), Embed(), Full())
    row = PairExample(id="1", where="row 1", query="red", positive="door", group="ana")
    assert Rank().encode(row, model.renderer).group == "ana"
    assert Embed().encode(row, model.renderer).group == ""


def test_shorter_vectors_are_in_the_loss() -> None:
    vectors = torch.randn(4, 8)
    batch = bare([[1], [2], [3], [4]], [2, 2])
    whole, short = (
        float(Contrast().loss(Answered(vectors=v), batch).total) for v in (vectors, vectors[:, :3])
    )
    both = float(Contrast(sizes=(3,)).loss(Answered(vectors=vectors), batch).total)
    assert both == pytest.approx((whole + short) / 2, abs=1e-5)
    longer = Contrast(sizes=(64,)).loss(Answered(vectors=vectors), batch).total
    assert float(longer) == pytest.approx(whole)


@pytest.mark.parametrize("method", [Full(), Lora(rank=4, dropout=0.1)], ids=["full", "lora"])
def test_a_batch_in_passes_has_the_gradient_of_the_whole(tiny: Tiny, method: Any) -> None:
    """With dropout, which is the same in both forward passes of a pass."""
    examples = rows(9, 1)

    def gradients(size: int, dropout: bool) -> tuple[float, dict[str, torch.Tensor]]:
        model = load(tiny("minilm"), Embed(), method)
        torch.manual_seed(2)
        for name, parameter in model.trained().items():
            if "lora_B" in name:
                parameter.data.normal_(std=0.1)
        model.network.train(dropout)
        encoded = [model.task.encode(e, model.renderer) for e in examples]
        passes = [
            collate(part, kind="nothing", device=model.device)
            for part in micro_batches(encoded, size)
        ]
        told: list[float] = []
        loss, weight = accumulate(
            model.network, Contrast(), passes, list(range(9)), lambda value, _: told.append(value)
        )
        assert (weight, len(told)) == (9, len(passes))
        slopes = {n: p.grad for n, p in model.trained().items() if p.grad is not None}
        with torch.no_grad():
            vectors = torch.cat([model.network.vectors(one) for one in passes])
            whole = together(Contrast(), vectors, passes)
        assert dropout or float(whole.total) / whole.weight == pytest.approx(loss, abs=1e-5)
        return loss, slopes

    whole, expected = gradients(9, False)
    assert any(float(g.abs().max()) > 1e-3 for g in expected.values())
    for size in (1, 2, 4):
        loss, found = gradients(size, False)
        assert loss == pytest.approx(whole, abs=1e-5)
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            assert torch.allclose(found[name], gradient, atol=2e-5), name
    assert gradients(4, True)[0] != pytest.approx(whole, abs=1e-5)


def test_prompts_of_the_base_stand_before_queries_and_texts(tiny: Tiny) -> None:
    from dataclasses import replace

    base = replace(tiny("minilm"), prompts=(("passage", "red "), ("query", "blue ")))
    model = load(base, Embed())
    (row,) = rows(1)
    encoded: Encoded = model.task.encode(row, model.renderer)
    assert encoded.ids == model.renderer.text("blue " + row.query)
    assert encoded.others[0].ids == model.renderer.text("red " + row.positive)
