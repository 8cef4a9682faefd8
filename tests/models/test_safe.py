"""What a model's folder may hold: each bad one is refused with its place and a remedy."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from afina.errors import MachineError, ModelError
from afina.models import safe
from afina.models.sources import Base, resolve
from tests.tiny import Kind

Tiny = Callable[[Kind], Base]


@pytest.fixture
def folder(tiny: Tiny, tmp_path: Path) -> Path:
    """A copy of the tiny Llama, to spoil."""
    return shutil.copytree(tiny("llama").folder, tmp_path / "base")


@pytest.fixture
def look(tmp_path: Path) -> Callable[[Path], Base]:
    return lambda folder: resolve(str(folder), cache=tmp_path / "cache")


def change(path: Path, **values: Any) -> None:
    """Set keys of a JSON file; None as a value removes the key."""
    found = json.loads(path.read_text(encoding="utf-8")) | values
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))


def config(**values: Any) -> Callable[[Path], None]:
    return lambda folder: change(folder / "config.json", **values)


def text(name: str, content: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_text(content, encoding="utf-8") and None


def weights(edit: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        stored = load_file(folder / "model.safetensors")
        edit(stored)
        save_file(stored, folder / "model.safetensors", metadata={"format": "pt"})

    return spoil


def only_pickles(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def adapter(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}")


def truncated(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])


def longer(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes() + b"\0")


def pickle_in_disguise(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(pickle.dumps({"weight": [1.0] * 100}))


def larger_tokenizer(folder: Path) -> None:
    path = folder / "tokenizer.json"
    file = json.loads(path.read_text(encoding="utf-8"))
    file["added_tokens"].append({"id": 496, "content": "<|new|>", "special": True})
    path.write_text(json.dumps(file))


def shards(folder: Path) -> dict[str, str]:
    """Cut the weights into two shards with an index; returns the index' map."""
    stored = load_file(folder / "model.safetensors")
    names = sorted(stored)
    places = {
        name: f"model-0000{1 + (number >= 5)}-of-00002.safetensors"
        for number, name in enumerate(names)
    }
    for file in sorted(set(places.values())):
        save_file({n: stored[n] for n in names if places[n] == file}, folder / file)
    (folder / "model.safetensors").unlink()
    write_index(folder, places)
    return places


def write_index(folder: Path, places: dict[str, str]) -> None:
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def missing_shard(folder: Path) -> None:
    shards(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()


def absent_tensor(folder: Path) -> None:
    write_index(folder, shards(folder) | {"model.ghost.weight": "model-00001-of-00002.safetensors"})


def unnamed_tensor(folder: Path) -> None:
    places = shards(folder)
    places.pop("model.norm.weight")
    write_index(folder, places)


def extra_shard(folder: Path) -> None:
    shards(folder)
    save_file({"x": np.zeros(2, np.float32)}, folder / "model-00003-of-00003.safetensors")


def shard_outside(folder: Path) -> None:
    shutil.copy(folder / "model.safetensors", folder.parent / "outside.safetensors")
    write_index(folder, dict.fromkeys(shards(folder), "../outside.safetensors"))


def set_nan(stored: dict[str, Any]) -> None:
    stored["model.norm.weight"] = np.full(48, np.nan, np.float32)
    stored["model.layers.1.mlp.up_proj.weight"][3, 4] = np.inf


def narrower(stored: dict[str, Any]) -> None:
    for layer in (0, 1):
        name = f"model.layers.{layer}.mlp.up_proj.weight"
        stored[name] = stored[name][:, :40].copy()


LLAMA_CONFIG = "config.json"
CASES: dict[str, tuple[Callable[[Path], Any], list[str]]] = {
    # M2, M3
    "only pickles": (only_pickles, ["pickles", "pytorch_model.bin", "safetensors only", "convert"]),
    "only an adapter": (adapter, ["adapter, not a base model"]),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), ["no weights"]),
    "a pickle named safetensors": (pickle_in_disguise, ["model.safetensors", "header"]),
    # M4
    "auto_map in the config": (config(auto_map={"AutoModel": "evil.Model"}), ["remote code"]),
    "auto_map deep in the config": (
        config(text_config={"auto_map": {"AutoModel": "evil.Model"}}),
        ["remote code", "config.json"],
    ),
    "auto_map in the tokenizer": (
        lambda f: change(f / "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", None]}),
        ["remote code", "tokenizer_config.json"],
    ),
    "code in the folder": (text("modeling_evil.py", "import os"), ["code", "modeling_evil.py"]),
    "code in a folder of it": (
        lambda f: (f / "sub").mkdir() or text("sub/modeling.py", "x = 1")(f),
        ["code", "sub/modeling.py"],
    ),
    # M5
    "broken config": (text(LLAMA_CONFIG, '{"model_type": '), ["config.json", "not valid JSON"]),
    "config is a list": (text(LLAMA_CONFIG, "[]"), ["config.json", "not a JSON object"]),
    "config is not UTF-8": (
        lambda f: (f / LLAMA_CONFIG).write_bytes(b'{"model_type": "\xff"}'),
        ["config.json", "not valid JSON"],
    ),
    "config says a key twice": (
        text(LLAMA_CONFIG, '{"model_type": "llama", "model_type": "evil"}'),
        ["config.json", "'model_type' appears twice"],
    ),
    "config nested without end": (
        text(LLAMA_CONFIG, '{"a":' * 5000 + "1" + "}" * 5000),
        ["config.json"],
    ),
    "no config": (lambda f: (f / LLAMA_CONFIG).unlink(), ["config.json", "missing"]),
    "no model_type": (config(model_type=None), ["model_type is missing", "llama"]),
    "unknown family": (config(model_type="lama"), ["'lama' is unknown", "did you mean llama?"]),
    # M6
    "code in model_type": (
        config(model_type="llama\nimport os"),
        ["config.json", "line break", "model_type"],
    ),
    "code in a nested model_type": (
        config(text_config={"model_type": "x'; import os"}),
        ["text_config.model_type", "not the name of an architecture"],
    ),
    "line break in any text": (config(hidden_act="silu\r\nx"), ["hidden_act", "line break"]),
    "a billion layers": (config(num_hidden_layers=10**9), ["num_hidden_layers", "between 1 and"]),
    "negative width": (config(hidden_size=-48), ["hidden_size", "-48"]),
    "no heads": (config(num_attention_heads=0), ["num_attention_heads"]),
    "size as text": (config(vocab_size="496"), ["vocab_size"]),
    "size as a fraction": (config(hidden_size=48.5), ["hidden_size"]),
    "vocabulary too large": (config(vocab_size=10**12), ["vocab_size"]),
    "heads that do not divide": (
        config(num_key_value_heads=3),
        ["self_attn.k_proj.weight [24, 48] instead of [36, 48]"],
    ),
    # M7
    "one byte short": (truncated, ["model.safetensors", "cut off"]),
    "one byte long": (longer, ["model.safetensors", "belong to no tensor"]),
    # M8
    "missing shard": (missing_shard, ["model-00002-of-00002.safetensors is missing"]),
    "index names an absent tensor": (absent_tensor, ["model.ghost.weight"]),
    "index does not name a tensor": (unnamed_tensor, ["model.norm.weight", "does not name"]),
    "extra shard": (extra_shard, ["model-00003-of-00003.safetensors", "not in the index"]),
    "shard outside of the folder": (shard_outside, ["not the name of a file in this folder"]),
    # M9
    "other vocabulary": (config(vocab_size=500), ["embed_tokens", "[496, 48]", "[500, 48]"]),
    "other width": (config(hidden_size=64), ["[496, 48]", "[496, 64]"]),
    "other inner width": (
        config(intermediate_size=128),
        ["6 weights have another shape", "mlp.down_proj.weight [48, 96] instead of [48, 128]"],
    ),
    "narrower weights": (weights(narrower), ["2 weights have another shape", "mlp.up_proj"]),
    "more layers than weights": (
        config(num_hidden_layers=3),
        ["weights are missing", "model.layers.2."],
    ),
    "a weight less": (
        weights(lambda s: s.pop("model.norm.weight")),
        ["1 weights are missing: model.norm.weight"],
    ),
    # M10
    "NaN and infinity": (
        weights(set_nan),
        ["2 weights hold NaN", "model.layers.1.mlp.up_proj.weight", "model.norm.weight"],
    ),
    # M12
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), ["no tokenizer.json"]),
    "tokenizer without vocabulary": (text("tokenizer.json", "{}"), ["no vocabulary"]),
    "tokenizer too large": (larger_tokenizer, ["ids up to 496", "496 embeddings"]),
    "special token of another model": (
        lambda f: change(f / "tokenizer_config.json", eos_token="</s>", added_tokens_decoder=None),
        ["eos_token", "not in the vocabulary"],
    ),
    "eos id beyond the vocabulary": (config(eos_token_id=[2, 128001]), ["eos_token_id", "128001"]),
    # M22
    "encoder-decoder": (config(model_type="t5", is_encoder_decoder=True), ["weights are missing"]),
    "images": (config(vision_config={"hidden_size": 8}), ["images"]),
}


@pytest.mark.parametrize("case", CASES, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_folder_is_refused_with_place_and_remedy(
    case: str, folder: Path, look: Callable[[Path], Base]
) -> None:
    spoil, said = CASES[case]
    spoil(folder)
    with pytest.raises(ModelError) as caught:
        look(folder)
    error = caught.value
    assert error.exit_code == 2
    assert str(folder) in error.where
    assert error.do
    for words in said:
        assert words in f"{error.where} {error.what} {error.do}"


def test_the_folder_itself_is_sound(folder: Path, look: Callable[[Path], Base]) -> None:
    """Without this, every case above could pass for a wrong reason."""
    base = look(folder)
    assert base.tunable
    assert base.unopened == ()


def test_shards_are_read_like_one_file(folder: Path, look: Callable[[Path], Base]) -> None:
    whole = look(folder)
    shards(folder)
    cut = look(folder)
    assert (cut.parameters, cut.vocabulary, cut.layers) == (
        whole.parameters,
        whole.vocabulary,
        whole.layers,
    )
    assert cut.sha256 != whole.sha256


class Canary:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize(
    "name", ["rng_state.pth", "optimizer.pt", "value_head.bin", ".hidden.mdl", "sub/x.pkl"]
)
def test_a_pickle_beside_the_weights_is_listed_and_never_opened(
    name: str, folder: Path, look: Callable[[Path], Base], tmp_path: Path
) -> None:
    sung = tmp_path / "sung"
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(pickle.dumps(Canary(sung)))
    assert look(folder).unopened == (name,)
    assert not sung.exists()
    pickle.loads((folder / name).read_bytes())
    assert sung.exists(), "the canary does not sing: the test proves nothing"


def test_a_quantised_checkpoint_is_known_and_not_tunable(
    folder: Path, look: Callable[[Path], Base]
) -> None:
    change(folder / "config.json", quantization_config={"quant_method": "gptq", "bits": 4})
    base = look(folder)
    assert not base.tunable
    assert "gptq" in base.tunable_reason


def test_versions_with_known_holes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"transformers": "5.2.1", "torch": "2.13.0+cpu"}
    monkeypatch.setattr("importlib.metadata.version", found.__getitem__)
    with pytest.raises(MachineError, match=r"transformers 5\.2\.1"):
        safe.check_floors()
    found["transformers"] = "5.3.0"
    safe.check_floors()
    found["torch"] = "2.9.1"
    with pytest.raises(MachineError, match=r"torch 2\.9\.1"):
        safe.check_floors()
