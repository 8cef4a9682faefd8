"""A base from a folder: its facts, its identity, its name; and what every base is listed with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file, save_file

from afina.errors import AfinaError, CorruptError, MachineError, ModelError
from afina.models import base_cache, hub, packages, sources
from afina.models.sources import Base, list_bases, resolve
from tests.models.cut_off import cut_off
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]
COMMIT = "5" * 40


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cut_off(monkeypatch, tmp_path)


# ---------------------------------------------------------------------------- folders


def test_a_folder_is_described_by_its_files(tiny: Tiny, cache: Path) -> None:
    folder = tiny("llama").folder
    base = resolve(str(folder), cache=cache)
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    assert base.folder == folder
    assert base.name == str(folder)
    assert (base.kind, base.architecture, base.model_type) == (
        "decoder",
        "LlamaForCausalLM",
        "llama",
    )
    assert base.parameters == sum(w.size for w in weights.values())
    assert base.bytes == (folder / "model.safetensors").stat().st_size
    assert (base.dtype, base.layers, base.hidden_size) == ("float32", 2, 48)
    assert (base.vocabulary, base.context_length) == (config["vocab_size"], 256)
    assert base.chat_template
    assert base.pooling is None
    assert base.licence == "unknown"
    assert "find out" in base.licence_note


def test_pooling_template_and_kind_are_told_apart(tiny: Tiny, cache: Path) -> None:
    found = {
        k: resolve(str(tiny(k).folder), cache=cache) for k in ("gemma", "gpt2", "minilm", "bert")
    }
    assert [b.kind for b in found.values()] == ["decoder", "decoder", "encoder", "encoder"]
    assert [b.pooling for b in found.values()] == [None, None, "mean", None]
    assert [b.chat_template for b in found.values()] == [True, False, False, False]  # M13


@pytest.mark.parametrize(
    ("switches", "pooling"),
    [
        ({"pooling_mode_cls_token": True}, "first"),
        ({"pooling_mode_lasttoken": True}, "last"),
        ({"pooling_mode": "cls"}, "first"),
        ({"pooling_mode_max_tokens": True}, None),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, None),
    ],
)
def test_every_pooling_is_read(
    switches: dict[str, Any], pooling: str | None, tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("minilm").folder, tmp_path / "x")
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(switches))
    assert resolve(str(folder), cache=cache).pooling == pooling


def test_a_head_stored_beside_its_tied_embedding_counts_once(
    tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("llama").folder, tmp_path / "x")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"].copy()
    save_file(weights, folder / "model.safetensors")
    assert resolve(str(folder), cache=cache).parameters == tiny("llama").parameters


@pytest.mark.parametrize(
    ("card", "licence", "note"),
    [
        ("---\nlicense: apache-2.0\n---\n# x", "apache-2.0", ""),
        (
            "---\nlicense: other\nlicense_name: own\nlicense_link: http://x\n---\n",
            "own",
            "http://x",
        ),
        ("---\nlicense: [\n---\n", "unknown", "find out"),
        ("# nothing stated", "unknown", "find out"),
        ("---\nlicense: !!python/object/apply:os.getcwd []\n---\n", "unknown", "find out"),
    ],
)
def test_the_licence_is_what_the_card_says(
    card: str, licence: str, note: str, tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    (folder / "README.md").write_text(card)
    base = resolve(str(folder), cache=cache)
    assert base.licence == licence
    assert note in base.licence_note


def test_the_identity_is_of_weights_and_config_alone(
    tiny: Tiny, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    before = resolve(str(folder), cache=cache).sha256
    (folder / "README.md").write_text("another card")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"transformers_version": "9"}))
    assert resolve(str(folder), cache=cache).sha256 == before
    (folder / "config.json").write_text(json.dumps(config | {"layer_norm_eps": 1e-3}))
    changed = resolve(str(folder), cache=cache).sha256
    assert changed != before
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.LayerNorm.bias"] += 1
    save_file(weights, folder / "model.safetensors")
    assert resolve(str(folder), cache=cache).sha256 not in (before, changed)


def test_facts_are_worked_out_once_and_again_after_a_change(
    tiny: Tiny, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny("bert").folder, tmp_path / "x")
    first = resolve(str(folder), cache=cache)
    calls: list[Path] = []

    def counted(folder: Path, card: Any) -> Base:
        calls.append(folder)
        return work_out(folder, card)

    from afina.models.facts import work_out

    monkeypatch.setattr("afina.models.facts.work_out", counted)
    assert resolve(str(folder), cache=cache) == first
    assert not calls
    os.utime(folder / "model.safetensors", ns=(1, 1))
    assert resolve(str(folder), cache=cache) == first
    assert len(calls) == 1
    (folder / "modeling.py").write_text("evil")
    with pytest.raises(ModelError, match="code"):
        resolve(str(folder), cache=cache)


def test_a_damaged_note_is_worked_out_again(tiny: Tiny, cache: Path) -> None:
    folder = str(tiny("bert").folder)
    first = resolve(folder, cache=cache)
    (note,) = (cache / "notes").glob("*.json")
    for damage in (b"", b"{", b"[]", b'{"stamp": 1}'):
        note.write_bytes(damage)
        assert resolve(folder, cache=cache) == first


def test_a_folder_is_used_even_if_the_cache_cannot_be_written(tiny: Tiny, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    base = resolve(str(tiny("bert").folder), cache=tmp_path / "file" / "cache")
    assert base.sha256 == tiny("bert").sha256


# ---------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./not-here", "no folder and no file"),
        ("/not/here", "no folder and no file"),
        ("~/not-here-at-all", "no folder and no file"),
        ("a/b/c", "no folder and no file"),
        ("models\\here", "no folder and no file"),
        ("not-here.gguf", "no folder and no file"),
        ("https://huggingface.co/org/name", "is an address"),
        ("", "empty"),
        ("a\0b", "zero byte"),
        ("org/na me", "neither a folder"),
        ("org/name@", "neither a folder"),
        ("-org/name", "neither a folder"),
        ("org/..name", "neither a folder"),
        ("o" * 200, "neither a folder"),
        ("org/name;rm -rf", "neither a folder"),
    ],
)
def test_a_name_that_can_be_nothing_is_refused(name: str, said: str, cache: Path) -> None:
    with pytest.raises(ModelError) as caught:
        resolve(name, cache=cache)
    assert said in caught.value.what
    assert caught.value.where == "base"
    assert caught.value.do


def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"a folder or a \.gguf file"):
        resolve(str(tmp_path / "model.safetensors"), cache=cache)


def test_an_empty_folder_is_refused(tmp_path: Path, cache: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match="no weights here"):
        resolve(str(tmp_path / "empty"), cache=cache)


# ---------------------------------------------------------------------------- the cache's place


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert base_cache.cache_folder() == tmp_path / ".cache" / "afina"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert base_cache.cache_folder() == tmp_path / "xdg" / "afina"
    monkeypatch.setenv("AFINA_CACHE", str(tmp_path / "own"))
    assert base_cache.cache_folder() == tmp_path / "own"
    assert base_cache.cache_folder(tmp_path / "given") == tmp_path / "given"


def test_without_a_home_the_error_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(MachineError, match="AFINA_CACHE"):
        resolve("org/name")


# ---------------------------------------------------------------------------- list and add


def test_the_packaged_bases_are_listed_before_they_are_here(cache: Path) -> None:
    lines = list_bases(cache=cache)
    assert [line.name for line in lines] == sorted(packages.PACKAGES, key=str.lower)
    assert {line.where for line in lines} == {"package"}
    for line in lines:
        assert line.parameters > 10**7
        assert line.licence
        assert line.context_length >= 512
    assert not cache.exists()
    gemma = next(line for line in lines if line.name == "google/gemma-3-270m")
    assert "ai.google.dev/gemma/terms" in gemma.licence_note


def test_a_damaged_list_of_folders_is_told(cache: Path) -> None:
    cache.mkdir()
    (cache / "added.json").write_text("{")
    with pytest.raises(MachineError, match="damaged"):
        list_bases(cache=cache)


def test_every_error_of_this_room_is_one_of_ours() -> None:
    assert issubclass(CorruptError, AfinaError)
    assert not issubclass(hub.HubUnreachableError, AfinaError), "it must never reach the user"


def test_importing_the_room_loads_no_heavy_library() -> None:
    code = (
        "import sys, afina.models.sources as s; s.list_bases; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'gguf') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_facts_kept_by_another_version_are_not_trusted(
    tiny: Tiny, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tiny("bert").folder)
    first = resolve(folder, cache=cache)
    monkeypatch.setattr(sources, "FACTS_VERSION", sources.FACTS_VERSION + 1)
    monkeypatch.setattr(
        "afina.models.facts.work_out", lambda folder, card: replace(first, layers=9)
    )
    assert resolve(folder, cache=cache).layers == 9
