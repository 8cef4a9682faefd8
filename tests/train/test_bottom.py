"""The frozen bottom: kept, worked again, or within each pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from afina.errors import RecipeError
from afina.methods import Full, Lora, Partial
from afina.models.bottom import groups, split
from afina.models.load import load
from afina.models.sources import Base
from afina.objectives import Policy
from afina.store import Run
from afina.tasks import Classify, Generate
from afina.train import loop
from afina.train.bottom import FACTS, FOLDER, STATES
from afina.train.plan import make_plan
from tests.tiny import Kind
from tests.train.small import MACHINE, Small

TOP = {"name": "partial", "train_layers": 1}
UPPER = {"name": "lora", "rank": 4, "layers": 1}
CELLS: list[tuple[Kind, str, Any]] = [
    ("minilm", "classify", TOP),
    ("bert", "classify", UPPER),
    ("bert", "regress", UPPER),  # pairs of texts, with their segments
    ("llama", "generate", TOP),
    ("gemma", "generate", UPPER),
    ("llama", "classify", UPPER),
]


def trained(small: Small, home: Path) -> tuple[dict[str, Any], Run]:
    run = small.new_run(home)
    return loop.run(*small.arguments(run)), run


def events(run: Run, kind: str) -> list[Any]:
    return [e for e in run.events() if e.get("event") == kind]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("kind", "task", "method"), CELLS)
def test_kept_and_repeated_end_in_the_same_bits(
    tiny: Callable[[Kind], Base],
    tmp_path: Path,
    kind: Kind,
    task: str,
    method: Any,
    precision: str,
) -> None:
    ends = {}
    for how in ("kept", "repeated"):
        small = Small(tiny(kind), task, method, frozen_bottom=how, precision=precision)
        figures, run = trained(small, tmp_path / how)
        assert events(run, "bottom")[0]["layers"] == 1
        ends[how] = figures["weights_sha256"]
        assert (tmp_path / how / FOLDER).exists() == (how == "kept")
    assert ends["kept"] == ends["repeated"]


@pytest.mark.parametrize("method", [TOP, UPPER])
def test_nearly_the_losses_of_whole_passes(
    tiny: Callable[[Kind], Base], tmp_path: Path, method: Any
) -> None:
    """A decoder without dropout: only the order of sums differs."""
    losses = {}
    for how in ("kept", "within"):
        small = Small(tiny("llama"), "generate", method, frozen_bottom=how)
        _, run = trained(small, tmp_path / how)
        losses[how] = [m["loss"] for m in run.metrics() if "loss" in m]
    assert losses["kept"] == pytest.approx(losses["within"], rel=1e-4)


def test_a_second_run_takes_what_the_first_kept(
    tiny: Callable[[Kind], Base], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Small(tiny("minilm"), "classify", TOP, frozen_bottom="kept")
    first, _ = trained(small, tmp_path)
    (folder,) = (tmp_path / FOLDER).iterdir()
    before = (folder / STATES).stat().st_mtime_ns
    other = Small(tiny("minilm"), "classify", TOP, frozen_bottom="kept", learning_rate=1e-2)
    trained(other, tmp_path)
    assert [f.name for f in (tmp_path / FOLDER).iterdir()] == [folder.name]
    assert (folder / STATES).stat().st_mtime_ns == before
    again, _ = trained(small, tmp_path)
    assert again["weights_sha256"] == first["weights_sha256"]


@pytest.mark.parametrize("harm", ["flipped", "cut", "no facts"])
def test_harmed_states_are_worked_again(
    tiny: Callable[[Kind], Base], tmp_path: Path, harm: str
) -> None:
    small = Small(tiny("minilm"), "classify", TOP, frozen_bottom="kept")
    first, _ = trained(small, tmp_path)
    (folder,) = (tmp_path / FOLDER).iterdir()
    data = bytearray((folder / STATES).read_bytes())
    data[100] ^= 1
    if harm == "flipped":
        (folder / STATES).write_bytes(bytes(data))
    elif harm == "cut":
        (folder / STATES).write_bytes(bytes(data[:-8]))
    else:
        (folder / FACTS).unlink()
    again, _ = trained(small, tmp_path)
    assert again["weights_sha256"] == first["weights_sha256"]
    data[100] ^= 1
    assert (folder / STATES).read_bytes() == bytes(data)


def test_other_rows_or_layers_are_other_files(tiny: Callable[[Kind], Base], tmp_path: Path) -> None:
    for rows, method in ((24, TOP), (4, TOP), (24, {"name": "partial", "train_layers": 0})):
        trained(
            Small(tiny("minilm"), "classify", method, rows=rows, frozen_bottom="kept"), tmp_path
        )
    assert len(list((tmp_path / FOLDER).iterdir())) == 3


def test_the_plan_keeps_them_where_it_pays(tiny: Callable[[Kind], Base]) -> None:
    assert Small(tiny("llama"), "generate", TOP).plan.recipe.train.frozen_bottom == "kept"
    once = Small(tiny("llama"), "generate", TOP, epochs=1)
    assert once.plan.recipe.train.frozen_bottom == "within"
    assert Small(tiny("llama"), "generate", "lora").plan.recipe.train.frozen_bottom is None
    kept = Small(tiny("llama"), "generate", TOP, epochs=4).plan.estimate
    within = Small(tiny("llama"), "generate", TOP, epochs=4, frozen_bottom="within").plan.estimate
    assert kept.operations < within.operations
    small = Small(tiny("llama"), "generate", TOP, epochs=4)
    policy = small.recipe.model_copy(update={"objective": Policy(), "task": small.plan.recipe.task})
    written = make_plan(policy, small.base, {"": small.rows}, {"": small.validation}, 0, MACHINE)
    assert written.recipe.train.frozen_bottom is None, "no state of a row outlasts its step"
    with pytest.raises(RecipeError, match="no frozen layers"):
        Small(tiny("llama"), "generate", "lora", frozen_bottom="kept")


def test_what_cannot_be_parted_stays_whole(tiny: Callable[[Kind], Base]) -> None:
    generate = Generate(answer="text")
    assert split(load(tiny("llama"), generate, Full()).network.module) is None
    assert split(load(tiny("llama"), generate, Lora()).network.module) is None
    thawed = load(tiny("llama"), generate, Partial(train_layers=1, freeze_embeddings=False))
    assert split(thawed.network.module) is None
    odd = load(tiny("minilm"), Classify(labels=("a", "b")), Partial(train_layers=1))
    block = odd.network.core.encoder.layer[1]
    whole = block.forward
    calls: list[int] = []

    def counting(*given: Any, **named: Any) -> torch.Tensor:
        calls.append(1)
        return whole(*given, **named) + len(calls)  # answers differently every time

    block.forward = counting
    assert split(odd.network.module) is None


def test_groups_are_of_one_length() -> None:
    rows = sorted([(1,) * n for n in (3, 1, 3, 2)] + [(9,) * 3] * 40, key=lambda r: (len(r), r))
    found = groups(rows)
    assert sorted(i for g in found for i in g) == list(range(len(rows)))
    assert all(len({len(rows[i]) for i in g}) == 1 for g in found)
    assert max(len(g) for g in found) == 32
