"""A base with fewer layers: the ones that stay are the old ones, bit for bit, in their order."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, AutoModelForCausalLM

from afina.errors import ModelError, RequestError
from afina.models.sources import Base, resolve
from afina.models.student import make_student, spread
from tests.tiny import KINDS, Kind

Tiny = Callable[[Kind], Base]


def test_the_layers_that_stay_are_spread_from_the_first_to_the_last() -> None:
    assert spread(12, 6) == (0, 2, 4, 7, 9, 11)
    assert spread(6, 3) == (0, 2, 5)
    assert spread(6, 1) == (0,)
    assert all(len(set(spread(32, n))) == n for n in range(1, 32))


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_is_the_bottom_of_its_base(kind: Kind, tiny: Tiny, tmp_path: Path) -> None:
    base = tiny(kind)
    make_student(base, 1, tmp_path / "student")
    student = resolve(str(tmp_path / "student"))
    assert (student.layers, student.kind, student.pooling) == (1, base.kind, base.pooling)
    assert student.parameters < base.parameters
    assert student.source == f"layers 0 of 2 of {base.name}"
    old, new = (load_file(f / "model.safetensors") for f in (base.folder, student.folder))
    assert all(torch.equal(old[name], tensor) for name, tensor in new.items())
    left_out = set(old) - set(new)
    assert left_out and all(".1." in name for name in left_out)


def test_the_upper_layers_move_down(tmp_path: Path, tiny: Tiny) -> None:
    """Five layers in shards, of two kinds: what a layer is goes with it."""
    base = tiny("gemma")
    torch.manual_seed(3)
    config = AutoModel.from_pretrained(base.folder).config
    config.num_hidden_layers = 5
    config.layer_types = ["sliding_attention", "full_attention"] * 2 + ["sliding_attention"]
    network = AutoModelForCausalLM.from_config(config)
    deep = tmp_path / "deep"
    network.save_pretrained(deep, max_shard_size="40KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (deep / name).write_bytes((base.folder / name).read_bytes())
    assert len(list(deep.glob("*.safetensors"))) > 1

    make_student(resolve(str(deep)), 2, tmp_path / "student")
    student = AutoModelForCausalLM.from_pretrained(resolve(str(tmp_path / "student")).folder)
    assert student.config.layer_types == ["sliding_attention", "sliding_attention"]
    for at, came_from in enumerate((0, 4)):
        own, old = (m.model.layers[i] for m, i in ((student, at), (network, came_from)))
        for name, weight in own.state_dict().items():
            assert torch.equal(weight, old.state_dict()[name])


def test_what_makes_no_student_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    for layers in (0, 2, 7):
        with pytest.raises(RequestError, match=f"{layers} layers of 2"):
            make_student(tiny("bert"), layers, tmp_path / "student")
    with pytest.raises(ModelError, match="no single list of layers"):
        make_student(tiny("t5"), 1, tmp_path / "student")
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(RequestError, match="there already"):
        make_student(tiny("bert"), 1, tmp_path)


def test_the_verb(tiny: Tiny, tmp_path: Path) -> None:
    def ask(*words: str) -> tuple[int, dict[str, object]]:
        command = [sys.executable, "-m", "afina", "models", "student", *words, "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done.returncode, json.loads(done.stdout)

    folder = str(tiny("minilm").folder)
    code, facts = ask(folder, "--layers", "1", "--out", str(tmp_path / "small"))
    assert (code, facts["layers"]) == (0, 1)
    code, told = ask(folder, "--layers", "1")
    assert code == 2 and "--out" in str(told)
