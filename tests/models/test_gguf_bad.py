"""A GGUF file that is broken, hostile or unknown is refused at once, and nothing is left behind."""

from __future__ import annotations

import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFWriter

from afina.errors import ModelError
from afina.models.sources import resolve
from tests.models.tiny_gguf import (
    OWN,
    add_byte_tokenizer,
    byte_vocabulary,
    network,
    stored,
    write,
)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama in F32."""
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    tensors = stored(network("llama"), "llama")
    return write(path, "llama", tensors, add_byte_tokenizer, **OWN["llama"])


def head(version: int = 3, tensors: int = 0, fields: int = 0, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, fields) + rest


def name(text: str) -> bytes:
    return struct.pack("<Q", len(text)) + text.encode()


def field(key: str, kind: int, value: bytes) -> bytes:
    return name(key) + struct.pack("<I", kind) + value


def tensor(key: str, shape: list[int], kind: int = 0, offset: int = 0) -> bytes:
    sizes = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return name(key) + sizes + struct.pack("<IQ", kind, offset)


ARRAY_OF_ARRAYS = struct.pack("<IQ", 9, 1)
BAD: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "too short"),
    "another file": (b"PK\3\4" + bytes(40), "begins with"),
    "version 1": (head(version=1), "version 1"),
    "big endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "version"),
    "endless tensors": (head(tensors=2**63), "tensors"),
    "endless fields": (head(fields=2**40), "fields"),
    "cut in a field": (head(fields=1, rest=name("general.name")), "cut off"),
    "endless text": (head(fields=1, rest=struct.pack("<Q", 2**62) + b"x"), "bytes of text"),
    "text beyond the end": (head(fields=1, rest=struct.pack("<Q", 1000) + b"x" * 10), "cut off"),
    "unknown kind": (head(fields=1, rest=field("a", 99, b"")), "unknown kind 99"),
    "list of lists": (head(fields=1, rest=field("a", 9, ARRAY_OF_ARRAYS)), "unknown kind 9"),
    "endless list": (
        head(fields=1, rest=field("a", 9, struct.pack("<IQ", 4, 2**50))),
        "items in a list",
    ),
    "list beyond the end": (
        head(fields=1, rest=field("a", 9, struct.pack("<IQ", 4, 1_000_000))),
        "cut off",
    ),
    "a field twice": (
        head(fields=2, rest=field("a", 0, b"\1") * 2),
        "'a' appears twice",
    ),
    "not UTF-8": (
        head(fields=1, rest=field("a", 8, struct.pack("<Q", 2) + b"\xff\xfe")),
        "not UTF-8",
    ),
    "nine dimensions": (head(tensors=1, rest=tensor("w", [1] * 9)), "9 dimensions"),
    "unknown numbers": (head(tensors=1, rest=tensor("w", [32], kind=4000)), "number type 4000"),
    "row that is no block": (head(tensors=1, rest=tensor("w", [33], kind=2)), "shape"),
    "empty tensor": (head(tensors=1, rest=tensor("w", [0])), "shape"),
    "endless tensor": (head(tensors=1, rest=tensor("w", [2**39, 2**39])), "cut off"),
    "tensor beyond the end": (head(tensors=1, rest=tensor("w", [8], offset=64)), "cut off"),
    "tensor twice": (
        head(tensors=2, rest=tensor("w", [8]) * 2 + bytes(100)),
        "'w' appears twice",
    ),
    "tensors overlap": (
        head(tensors=2, rest=tensor("v", [8]) + tensor("w", [8], offset=4) + bytes(100)),
        "overlaps",
    ),
    "absurd alignment": (
        head(
            tensors=1,
            fields=1,
            rest=field("general.alignment", 4, struct.pack("<I", 0)) + tensor("w", [1]),
        ),
        "alignment",
    ),
    "no tensors": (head(rest=bytes(8)), "no tensors"),
    "no architecture": (head(tensors=1, rest=tensor("w", [1]) + bytes(100)), "architecture"),
}


@pytest.mark.parametrize("case", BAD, ids=lambda name: name.replace(" ", "-"))
def test_a_bad_file_is_refused_at_once(case: str, tmp_path: Path) -> None:
    content, said = BAD[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    begun = time.process_time()
    with pytest.raises(ModelError) as caught:
        resolve(str(path), cache=tmp_path / "cache")
    assert time.process_time() - begun < 1
    assert said in caught.value.what
    assert str(path) in caught.value.where
    assert caught.value.do
    assert not list((tmp_path / "cache").glob("bases/*"))


def test_a_file_cut_off_in_its_weights_is_refused(tiny_gguf: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(tiny_gguf.read_bytes()[:-100])
    with pytest.raises(ModelError, match="cut off: tensor"):
        resolve(str(path), cache=tmp_path / "cache")


def refuse(tmp_path: Path, said: str, drop: str = "", **changed: Any) -> ModelError:
    tensors = stored(network("llama"), "llama") | changed.pop("tensors", {})
    tensors.pop(drop, None)
    tokenizer = changed.pop("tokenizer", add_byte_tokenizer)
    architecture = changed.pop("architecture", "llama")
    path = write(tmp_path / "x.gguf", architecture, tensors, tokenizer, **OWN["llama"], **changed)
    with pytest.raises(ModelError) as caught:
        resolve(str(path), cache=tmp_path / "cache")
    assert said in f"{caught.value.what} {caught.value.do}"
    assert not [p for p in (tmp_path / "cache").glob("bases/*") if not drop]
    return caught.value


def test_an_unknown_architecture_lists_the_known_ones(tmp_path: Path) -> None:
    error = refuse(tmp_path, "'grok' is not supported", architecture="grok")
    assert "gemma3" in error.do


def test_experts_are_refused(tmp_path: Path) -> None:
    refuse(tmp_path, "with experts", expert_count=8)


def test_an_unknown_cut_is_refused_and_not_guessed(tmp_path: Path) -> None:
    refuse(
        tmp_path, "('martian') is not known", tokenizer=lambda w: add_byte_tokenizer(w, "martian")
    )


def test_a_tensor_without_a_place_is_refused_and_not_dropped(tmp_path: Path) -> None:
    extra = {"blk.0.attn_sinks.weight": np.ones((4, 4), np.float32)}
    refuse(tmp_path, "blk.0.attn_sinks.weight", tensors=extra)


def test_a_missing_tensor_is_refused_and_not_drawn_at_random(tmp_path: Path) -> None:
    refuse(tmp_path, "model.layers.1.mlp.up_proj.weight", drop="blk.1.ffn_up.weight")


def test_one_part_of_a_split_file_is_refused(tmp_path: Path) -> None:
    def split(writer: GGUFWriter) -> None:
        add_byte_tokenizer(writer)
        writer.add_uint16("split.count", 3)

    refuse(tmp_path, "one of 3 parts", tokenizer=split)


def test_a_file_without_vocabulary_is_refused(tmp_path: Path) -> None:
    def none(writer: GGUFWriter) -> None:
        writer.add_tokenizer_model("gpt2")

    refuse(tmp_path, "no vocabulary", tokenizer=none)


def test_another_kind_of_tokenizer_is_refused(tmp_path: Path) -> None:
    def other(writer: GGUFWriter) -> None:
        tokens, kinds, _ = byte_vocabulary()
        writer.add_tokenizer_model("rwkv")
        writer.add_token_list(tokens)
        writer.add_token_types(kinds)

    refuse(tmp_path, "'rwkv' is not supported", tokenizer=other)
