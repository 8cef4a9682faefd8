"""A base that nobody has trained: the real one's shape, tokenizer and licence, weights of a seed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from afina.errors import RequestError
from afina.models.load import load_renderer
from afina.models.sources import Base, resolve
from afina.models.untrained import make_untrained
from tests.cli.conftest import json_of
from tests.tiny import KINDS, Kind

Tiny = Callable[[Kind], Base]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_the_shape_and_not_the_weights(kind: Kind, tiny: Tiny, tmp_path: Path) -> None:
    base = tiny(kind)
    make_untrained(base, tmp_path / "new", seed=3)
    new = resolve(str(tmp_path / "new"))
    for name in ("architecture", "kind", "layers", "vocabulary", "pooling", "context_length"):
        assert getattr(new, name) == getattr(base, name), name
    assert f"the shape of {base.name}" in new.source
    one, other = load_renderer(base), load_renderer(new)
    assert one.tokenizer.get_vocab() == other.tokenizer.get_vocab()
    assert one.tokenizer.chat_template == other.tokenizer.chat_template
    make_untrained(base, tmp_path / "same", seed=3)
    make_untrained(base, tmp_path / "else", seed=4)
    given, own = weights(base.folder), weights(new.folder)
    moved = [n for n, w in own.items() if n in given and not torch.equal(w, given[n].float())]
    matrices = [n for n, w in own.items() if n in given and w.ndim > 1]
    assert matrices and set(matrices) <= set(moved)
    assert all(torch.equal(w, weights(tmp_path / "same")[n]) for n, w in own.items())
    assert any(not torch.equal(w, weights(tmp_path / "else")[n]) for n, w in own.items())


def test_the_verb(tiny: Tiny, tmp_path: Path) -> None:
    folder, out = str(tiny("minilm").folder), str(tmp_path / "new")
    code, facts = json_of(["models", "untrained", folder, "--out", out])
    assert (code, facts["layers"], facts["folder"]) == (0, 2, out)
    code, told = json_of(["models", "untrained", folder])
    assert code == 2 and "--out" in told["error"]["do"]
    code, told = json_of(["models", "untrained", folder, "--out", out, "--layers", "1"])
    assert code == 2 and "--layers" in told["error"]["what"]
    with pytest.raises(RequestError, match="there already"):
        make_untrained(tiny("minilm"), tmp_path)
