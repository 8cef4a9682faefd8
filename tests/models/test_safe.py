"""What a model's folder may hold: each bad one is refused with its place and a remedy."""

from __future__ import annotations

import json
import pickle
import shutil
import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from afina.errors import MachineError, ModelError
from afina.models import safe, tensors
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
    "encoder-decoder": (config(model_type="t5", is_encoder_decoder=True), ["encoder-decoder"]),
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


# ---------------------------------------------------------------------------- headers


def write(path: Path, header: bytes, data: bytes = b"", length: int | None = None) -> Path:
    path.write_bytes(struct.pack("<Q", len(header) if length is None else length) + header + data)
    return path


def entry(shape: list[Any], offsets: list[Any], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


def many(count: int) -> bytes:
    one = '"tensor.number.%06d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return ("{" + ",".join(one % number for number in range(count)) + "}").encode()


HEADERS: dict[str, tuple[bytes, bytes, str]] = {
    "overlap": (
        json.dumps({"a": entry([2], [0, 8]), "b": entry([2], [4, 12])}).encode(),
        bytes(12),
        "'a' and 'b' overlap",
    ),
    "hole": (
        json.dumps({"a": entry([1], [0, 4]), "b": entry([1], [8, 12])}).encode(),
        bytes(12),
        "4 bytes before tensor 'b'",
    ),
    "beyond the end": (json.dumps({"a": entry([4], [0, 16])}).encode(), bytes(12), "cut off"),
    "bad dtype": (
        json.dumps({"a": entry([1], [0, 4], "F31")}).encode(),
        bytes(4),
        "unknown number type 'F31'",
    ),
    "dtype is a list": (
        json.dumps({"a": entry([1], [0, 4]) | {"dtype": []}}).encode(),
        bytes(4),
        "unknown number type",
    ),
    "negative shape": (json.dumps({"a": entry([-1], [0, 4])}).encode(), bytes(4), "sane shape"),
    "huge shape": (
        json.dumps({"a": entry([2**61, 2**61], [0, 4])}).encode(),
        bytes(4),
        "needs",
    ),
    "shape is text": (json.dumps({"a": entry(["2"], [0, 8])}).encode(), bytes(8), "sane shape"),
    "true as a size": (json.dumps({"a": entry([True], [0, 4])}).encode(), bytes(4), "sane shape"),
    "reversed offsets": (json.dumps({"a": entry([1], [4, 0])}).encode(), bytes(4), "sane offsets"),
    "three offsets": (json.dumps({"a": entry([1], [0, 2, 4])}).encode(), bytes(4), "sane offsets"),
    "size and offsets differ": (json.dumps({"a": entry([3], [0, 8])}).encode(), bytes(8), "needs"),
    "double name": (
        b'{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
        b'"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
        b"",
        "'a' appears twice",
    ),
    "not JSON": (b"{'a': 1}        ", b"", "not valid JSON"),
    "not UTF-8": (b'{"\xff": 1}', b"", "not valid JSON"),
    "a list": (b"[1, 2]", b"", "not a JSON object"),
    "an entry is text": (b'{"a": "b"}', b"", "no description"),
    "nested without end": (b'{"a":' * 100_000, b"", "not valid JSON"),
    "too many tensors": (many(100_001), b"", "more than 100000 tensors"),
    "bloated": (b"{" + b" " * (17 * 1024 * 1024) + b"}", b"", "more than 16777216"),
}


@pytest.mark.parametrize("case", HEADERS, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_header_is_refused_quickly_and_in_little_memory(case: str, tmp_path: Path) -> None:
    header, data, said = HEADERS[case]
    path = write(tmp_path / "model.safetensors", header, data)
    del header
    tracemalloc.start()
    begun = time.process_time()
    try:
        with pytest.raises(ModelError) as caught:
            tensors.read_header(path)
    finally:
        seconds = time.process_time() - begun
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert said in caught.value.what
    assert caught.value.where == str(path)
    assert seconds < 1
    assert peak_bytes < 64e6


@pytest.mark.parametrize("length", [2**63, 2**64 - 1, 10**12, 100])
def test_a_header_longer_than_the_file_is_refused(length: int, tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", b"{}", length=length)
    with pytest.raises(ModelError, match="the header claims"):
        tensors.read_header(path)


@pytest.mark.parametrize("size", [0, 1, 7])
def test_a_file_without_a_header_is_refused(size: int, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(size))
    with pytest.raises(ModelError, match="no header"):
        tensors.read_header(tmp_path / "x")


def test_the_most_tensors_that_are_allowed_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "model.safetensors", many(100_000))
    assert len(tensors.read_header(path)) == 100_000


# ---------------------------------------------------------------------------- writing


@pytest.mark.parametrize(("ours", "numpy_type"), [("F32", np.float32), ("F16", np.float16)])
def test_what_is_written_is_what_safetensors_reads(
    ours: str, numpy_type: type, tmp_path: Path
) -> None:
    values = np.random.default_rng(3).normal(size=(7, 5)).astype(np.float32)
    path = tmp_path / "model.safetensors"
    new = {
        "b": tensors.NewTensor((7, 5), [values[:3], values[3:]]),
        "a": tensors.NewTensor((5,), [values[0]]),
    }
    tensors.write(path, new, ours)
    found = load_file(path)
    assert list(tensors.read_header(path)) == ["a", "b"]
    np.testing.assert_array_equal(found["b"], values.astype(numpy_type))
    np.testing.assert_array_equal(found["a"], values[0].astype(numpy_type))


def test_bfloat16_is_rounded_as_torch_rounds() -> None:
    import torch

    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2**32, size=100_000, dtype=np.uint32)
    edges = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0x3F808000, 0x3F818000, 1]
    values = np.concatenate([bits, np.array(edges, np.uint32)]).view(np.float32)
    ours = np.frombuffer(tensors.as_bytes(values, "BF16"), dtype=np.uint16)
    theirs = torch.from_numpy(values).to(torch.bfloat16).view(torch.uint16).numpy()
    plain = ~np.isnan(values)
    np.testing.assert_array_equal(ours[plain], theirs[plain])
    assert bool(((ours[~plain] & 0x7FFF) > 0x7F80).all()), "NaN stays NaN"


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"])
@pytest.mark.parametrize("bad", ["nan", "inf"])
def test_one_bad_number_is_found_in_every_type(dtype: str, bad: str, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file as save

    kinds = {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
    }
    if (dtype, bad) == ("F8_E4M3", "inf"):
        pytest.skip("this type has no infinity")
    values = torch.linspace(-200, 200, 1000)
    spoilt = values.clone()
    spoilt[617] = float(bad)
    both = {"good": values.to(kinds[dtype]), "spoilt": spoilt.to(kinds[dtype])}
    save(both, tmp_path / "model.safetensors")
    header = tensors.read_header(tmp_path / "model.safetensors")
    assert tensors.not_finite(tmp_path / "model.safetensors", header) == ["spoilt"]
    assert safe.check_finite(tmp_path) == ["spoilt"]
