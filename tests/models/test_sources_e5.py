"""The packed file of multilingual-e5-small, on a tiny one that is written here by its format."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from afina.errors import ModelError
from afina.models import e5
from afina.models.sources import resolve

WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS = 64, 2, 4, 96, 40, 32
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", *"abcdefghijklmnopqrstuvwxyz", "▁el", "ñ", "<mask>"]


def pack(values: np.ndarray) -> bytes:
    """Q4_0, number by number as the format says it."""
    out = b""
    for block in values.reshape(-1, 32):
        largest = block[np.argmax(np.abs(block))]
        scale = np.float16(largest / -8)
        numbers = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int)
        pairs = [int(numbers[n]) | int(numbers[n + 16]) << 4 for n in range(16)]
        out += scale.tobytes() + bytes(pairs)
    return out


def unpacked(raw: bytes) -> np.ndarray:
    """The numbers that those bytes stand for, one at a time."""
    values = []
    for start in range(0, len(raw), 18):
        (scale,) = struct.unpack_from("<e", raw, start)
        packed = raw[start + 2 : start + 18]
        values += [((b & 15) - 8) * scale for b in packed] + [
            ((b >> 4) - 8) * scale for b in packed
        ]
    return np.array(values, np.float32)


def write(path: Path, drop: str = "", pieces: list[str] = PIECES) -> dict[str, np.ndarray]:
    """A packed file of random weights; returns what each tensor holds."""
    rng = np.random.default_rng(9)
    sizes = e5.Sizes(WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2, 1e-12)
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, WIDTH, LAYERS, HEADS, INNER, ROWS, POSITIONS, 2, 1e-12, 32
    )
    blob = [piece.encode() for piece in pieces]
    ends = np.cumsum([0, *map(len, blob)])
    head += struct.pack("<5iQ", len(blob), 0, 2, 1, 3, int(ends[-1]))
    head += ends.astype("<u4").tobytes() + bytes(4 * len(blob)) + b"".join(blob)
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0x41, 1, 0x61)
    data, directory, held = b"", [], {}
    for name, shape in e5._shapes(sizes).items():
        if name == drop:
            continue
        values = rng.normal(size=shape).astype(np.float32)
        packed = len(shape) == 2 and name not in ("emb.pos", "emb.type")
        raw = pack(values) if packed else values.tobytes()
        held[name] = unpacked(raw).reshape(shape) if packed else values
        directory.append((name, int(packed), values.size, len(data), len(raw)))
        data += raw
    size = len(head) + 4 + sum(2 + len(n) + 21 for n, *_ in directory)
    head += struct.pack("<i", len(directory))
    for name, kind, count, begin, length in directory:
        head += struct.pack("<H", len(name)) + name.encode()
        head += struct.pack("<BIQQ", kind, count, size + begin, length)
    path.write_bytes(head + data)
    return held


def write_tokenizer(path: Path, pieces: list[str] = PIECES) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.Unigram([(piece, -1.0) for piece in pieces], unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    tokenizer.save(str(path))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    packed, tokenizer, folder = tmp_path / "e5.bin", tmp_path / "tokenizer.json", tmp_path / "base"
    folder.mkdir()
    write_tokenizer(tokenizer)
    return packed, tokenizer, folder


def test_every_weight_arrives_and_no_other(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    from transformers import BertModel

    packed, tokenizer, folder = files
    held = write(packed)
    e5.convert(packed, tokenizer, folder)
    base = resolve(str(folder), cache=tmp_path / "cache")
    assert (base.kind, base.pooling, base.dtype) == ("encoder", "mean", "float32")
    assert (base.vocabulary, base.context_length) == (ROWS, POSITIONS)
    assert dict(base.prompts) == {"query": "query: ", "passage": "passage: "}
    assert base.parameters == sum(values.size for values in held.values())
    model, report = BertModel.from_pretrained(
        folder, add_pooling_layer=False, output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    state = model.state_dict()
    for name, target in (
        ("emb.word", "embeddings.word_embeddings.weight"),
        ("emb.type", "embeddings.token_type_embeddings.weight"),
        ("emb.ln.b", "embeddings.LayerNorm.bias"),
        ("l0.q.w", "encoder.layer.0.attention.self.query.weight"),
        ("l1.k.b", "encoder.layer.1.attention.self.key.bias"),
        ("l1.ao.w", "encoder.layer.1.attention.output.dense.weight"),
        ("l0.aln.w", "encoder.layer.0.attention.output.LayerNorm.weight"),
        ("l1.fi.w", "encoder.layer.1.intermediate.dense.weight"),
        ("l0.fo.w", "encoder.layer.0.output.dense.weight"),
        ("l1.oln.b", "encoder.layer.1.output.LayerNorm.bias"),
    ):
        assert torch.equal(state[target], torch.from_numpy(held[name])), name


def test_a_missing_tensor_is_refused(files: tuple[Path, Path, Path]) -> None:
    packed, tokenizer, folder = files
    write(packed, drop="l1.k.w")
    with pytest.raises(ModelError, match=r"missing or unknown: l1\.k\.w"):
        e5.convert(packed, tokenizer, folder)


def test_a_tokenizer_with_another_piece_is_refused(files: tuple[Path, Path, Path]) -> None:
    packed, tokenizer, folder = files
    write(packed)
    write_tokenizer(tokenizer, [*PIECES[:7], "Z", *PIECES[8:]])
    with pytest.raises(ModelError, match="differ from piece 7 on"):
        e5.convert(packed, tokenizer, folder)
    assert not (folder / "model.safetensors").exists()


@pytest.mark.parametrize("keep", [5, 40, 60, 300, 900, -100])
def test_a_file_that_is_cut_off_is_refused(keep: int, files: tuple[Path, Path, Path]) -> None:
    packed, tokenizer, folder = files
    write(packed)
    packed.write_bytes(packed.read_bytes()[:keep])
    with pytest.raises(ModelError, match="not the packed file"):
        e5.convert(packed, tokenizer, folder)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (0, b"E5S2", "begins with"),
        (4, struct.pack("<I", 2), "version 2"),
        (8, struct.pack("<i", -64), "sizes"),
        (12, struct.pack("<i", 2**30), "sizes"),
        (40, struct.pack("<i", 16), "block 16"),
        (44, struct.pack("<i", 2**30), "pieces"),
        (64, struct.pack("<Q", 2**60), "bytes"),
    ],
)
def test_a_claim_that_cannot_be_is_refused(
    at: int, value: bytes, said: str, files: tuple[Path, Path, Path]
) -> None:
    packed, tokenizer, folder = files
    write(packed)
    data = bytearray(packed.read_bytes())
    data[at : at + len(value)] = value
    packed.write_bytes(data)
    with pytest.raises(ModelError, match=said):
        e5.convert(packed, tokenizer, folder)


def test_the_files_of_sentence_transformers_are_beside(files: tuple[Path, Path, Path]) -> None:
    packed, tokenizer, folder = files
    write(packed)
    e5.convert(packed, tokenizer, folder)
    kinds = [m["type"].rsplit(".")[-1] for m in json.loads((folder / "modules.json").read_text())]
    assert kinds == ["Transformer", "Pooling", "Normalize"]
