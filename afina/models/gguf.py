"""GGUF files as bases: a bounded reader of the container, and the way to safetensors.

The header is read by our own code with a bound on every count, since the public reader can be
made to hang by a file of 69 bytes. Only ``gguf.quants`` of the public package is used: it
unpacks the numbers. Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import json
import mmap
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import ModelError
from afina.models import tensors as safetensors
from afina.models.gguf_families import Family, config_of, family_of, target_name
from afina.models.gguf_tokenizer import write_tokenizer
from afina.models.tensors import NewTensor, names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_FIELDS = 10_000
MAX_TENSORS = 100_000
MAX_ITEMS = 4_000_000
MAX_STRING_BYTES = 16 * 1024 * 1024
_PIECE_ROWS = 4096
_PLAIN = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<B", 10: "<Q",
          11: "<q", 12: "<d"}  # fmt: skip
_BOOL, _STRING, _ARRAY = 7, 8, 9


@dataclass(frozen=True, slots=True)
class PackedTensor:
    """One tensor of a GGUF file. ``shape``: slowest dimension first, as in PyTorch."""

    shape: tuple[int, ...]
    kind: int
    """GGML number type."""
    begin: int
    bytes: int


@dataclass(frozen=True)
class Container:
    """The header of a GGUF file, checked: fields by key, tensors by name."""

    path: Path
    fields: Mapping[str, Any]
    tensors: Mapping[str, PackedTensor]

    @property
    def licence(self) -> str:
        return str(self.fields.get("general.license") or "unknown")

    @property
    def packing(self) -> str:
        """The number type that most weights have, as GGML calls it."""
        from gguf import GGMLQuantizationType

        total: dict[int, int] = {}
        for tensor in self.tensors.values():
            total[tensor.kind] = total.get(tensor.kind, 0) + tensor.bytes
        return str(GGMLQuantizationType(max(total, key=lambda k: total[k])).name)


class _Cursor:
    """Reads forward in a mapped file; every read is bounded by the file."""

    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self.path, self.data, self.at = path, data, 0

    def plain(self, form: str) -> Any:
        size = struct.calcsize(form)
        if self.at + size > len(self.data):
            raise broken(self.path, "it is cut off in its header")
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += size
        return value

    def count(self, most: int, what: str) -> int:
        number = int(self.plain("<Q"))
        if number > most:
            raise broken(self.path, f"it claims {number} {what}, more than {most}")
        return number

    def text(self) -> str:
        length = self.count(MAX_STRING_BYTES, "bytes of text")
        if self.at + length > len(self.data):
            raise broken(self.path, "it is cut off in its header")
        raw = self.data[self.at : self.at + length]
        self.at += length
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError:
            raise broken(self.path, "it holds text that is not UTF-8") from None

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            inner = int(self.plain("<I"))
            length = self.count(MAX_ITEMS, "items in a list")
            return self._array(inner, length)
        if kind not in _PLAIN:
            raise broken(self.path, f"it has a value of the unknown kind {kind}")
        value = self.plain(_PLAIN[kind])
        return bool(value) if kind == _BOOL else value

    def _array(self, kind: int, length: int) -> list[Any]:
        if kind == _STRING:
            return [self.text() for _ in range(length)]
        if kind not in _PLAIN:
            raise broken(self.path, f"it has a list of the unknown kind {kind}")
        form = f"<{length}{_PLAIN[kind][1]}"
        if self.at + struct.calcsize(form) > len(self.data):
            raise broken(self.path, "it is cut off in its header")
        values = list(struct.unpack_from(form, self.data, self.at))
        self.at += struct.calcsize(form)
        return [bool(v) for v in values] if kind == _BOOL else values


def broken(path: Path, what: str) -> ModelError:
    """The error for a file that is no sound GGUF."""
    return ModelError(
        f"not a sound GGUF file: {what}",
        where=str(path),
        do="fetch it again from where it came from",
    )


def read_container(path: Path) -> Container:
    """The fields and tensors of a GGUF file, every claim checked. Raises ModelError."""
    if not path.is_file():
        raise ModelError("there is no such file", where=str(path), do="check the path")
    if path.stat().st_size < 24:
        raise broken(path, "it is too short")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        cursor = _Cursor(path, data)
        if data[:4] != b"GGUF":
            raise broken(path, f"it begins with {data[:4]!r}")
        cursor.at = 4
        version = cursor.plain("<I")
        if version not in (2, 3):
            raise broken(path, f"version {version} is not known (2 and 3 are)")
        tensor_count = cursor.count(MAX_TENSORS, "tensors")
        fields = _read_fields(cursor, cursor.count(MAX_FIELDS, "fields"))
        tensors = _read_tensors(cursor, tensor_count, fields)
    if not tensors:
        raise broken(path, "it holds no tensors")
    if int(fields.get("split.count") or 1) > 1:
        raise ModelError(
            f"this is one of {fields['split.count']} parts of a model",
            where=str(path),
            do="join them first: llama-gguf-split --merge FIRST-PART WHOLE.gguf",
        )
    return Container(path, fields, tensors)


def _read_fields(cursor: _Cursor, count: int) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for _ in range(count):
        key = cursor.text()
        if key in fields:
            raise broken(cursor.path, f"the field {key[:80]!r} appears twice")
        fields[key] = cursor.value(int(cursor.plain("<I")))
    return fields


def _read_tensors(
    cursor: _Cursor, count: int, fields: Mapping[str, Any]
) -> dict[str, PackedTensor]:
    raw: list[tuple[str, tuple[int, ...], int, int]] = []
    for _ in range(count):
        name = cursor.text()
        dimensions = int(cursor.plain("<I"))
        if dimensions > 4:
            raise broken(cursor.path, f"tensor {name[:80]!r} has {dimensions} dimensions")
        shape = tuple(cursor.count(1 << 40, "numbers in a row") for _ in range(dimensions))
        raw.append((name, shape[::-1], int(cursor.plain("<I")), int(cursor.plain("<Q"))))
    alignment = fields.get("general.alignment", 32)
    if type(alignment) is not int or not 0 < alignment <= 1 << 20:
        raise broken(cursor.path, f"the alignment is {alignment!r}")
    start = cursor.at + (-cursor.at % alignment)
    return _place_tensors(cursor.path, raw, start, len(cursor.data))


def _place_tensors(
    path: Path, raw: list[tuple[str, tuple[int, ...], int, int]], start: int, size: int
) -> dict[str, PackedTensor]:
    tensors: dict[str, PackedTensor] = {}
    for name, shape, kind, offset in raw:
        if name in tensors:
            raise broken(path, f"tensor {name[:80]!r} appears twice")
        tensors[name] = PackedTensor(
            shape, kind, start + offset, _packed_bytes(path, name, shape, kind)
        )
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].begin):
        if tensor.begin + tensor.bytes > size:
            raise broken(path, f"it is cut off: tensor {name!r} ends beyond its end")
        if tensor.begin < end:
            raise broken(path, f"tensor {name!r} overlaps the one before")
        end = tensor.begin + tensor.bytes
    return tensors


def _packed_bytes(path: Path, name: str, shape: tuple[int, ...], kind: int) -> int:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if kind not in {int(k) for k in GGML_QUANT_SIZES}:
        raise broken(path, f"tensor {name[:80]!r} has the unknown number type {kind}")
    block, block_bytes = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
    numbers = 1
    for length in shape:
        numbers *= length
    if not shape or numbers == 0 or shape[-1] % block:
        raise broken(path, f"tensor {name[:80]!r} has the shape {list(shape)}")
    return int(numbers // block * block_bytes)


# ---------------------------------------------------------------------------- conversion


def convert(container: Container, folder: Path) -> str:
    """Write the base of a GGUF file in Transformers' format. Returns the number type written.

    BF16, unless the file holds F16 or F32 matrices, which BF16 would round: then F32. Every tensor
    of the file finds its place; one that does not raises ModelError. Tied weights stay tied.
    """
    path = container.path
    family = family_of(container.fields, path)
    stored = _stored_type(container)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        read = _reader(data)
        shapes = {name: tensor.shape for name, tensor in container.tensors.items()}
        special = {n: read(container.tensors[n]) for n in family.special if n in shapes}
        config = config_of(family, container.fields, shapes, special, path)
        new, unknown = _targets(container, family, config, data)
        if unknown:
            raise ModelError(
                f"these tensors have no place in {config['architectures'][0]}: {names(unknown)}",
                where=str(path),
                do="take the model in safetensors format instead",
            )
        safetensors.write(folder / "model.safetensors", new, stored)
    dtype = {"BF16": "bfloat16", "F32": "float32"}[stored]
    config["dtype"] = dtype
    _write_json(folder / "config.json", config)
    write_tokenizer(container.fields, str(family.architecture), path, folder)
    ids = {key: value for key, value in config.items() if key.endswith("_token_id")}
    _write_json(folder / "generation_config.json", ids)
    return dtype


def _stored_type(container: Container) -> str:
    wide = {0, 1}  # F32, F16
    matrices = [t for t in container.tensors.values() if len(t.shape) > 1]
    return "F32" if any(t.kind in wide for t in matrices) else "BF16"


def _targets(
    container: Container, family: Family, config: Mapping[str, Any], data: mmap.mmap
) -> tuple[dict[str, NewTensor], list[str]]:
    new: dict[str, NewTensor] = {}
    unknown = []
    for name, tensor in container.tensors.items():
        if name in family.special:
            continue
        target = target_name(family, name)
        if target is None:
            unknown.append(name)
        else:
            change = family.change(name, config)
            new[target] = NewTensor(tensor.shape, _Pieces(data, tensor, change))
    return new, sorted(unknown)


Change = Callable[["NDArray[np.float32]"], "NDArray[np.float32]"]


@dataclass(frozen=True)
class _Pieces:
    """A tensor's rows as float32: in pieces, or whole where rows must change places."""

    data: mmap.mmap
    tensor: PackedTensor
    change: Change | None

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        shape = self.tensor.shape
        if self.change is not None or len(shape) == 1:
            whole = _reader(self.data)(self.tensor)
            yield whole if self.change is None else self.change(whole)
            return
        row_bytes = self.tensor.bytes // shape[0]
        for start in range(0, shape[0], _PIECE_ROWS):
            count = min(_PIECE_ROWS, shape[0] - start)
            yield _reader(self.data)(
                PackedTensor(
                    (count, *shape[1:]),
                    self.tensor.kind,
                    self.tensor.begin + start * row_bytes,
                    count * row_bytes,
                )
            )


def _reader(data: mmap.mmap) -> Callable[[PackedTensor], NDArray[np.float32]]:
    def read(tensor: PackedTensor) -> NDArray[np.float32]:
        import numpy as np
        from gguf import GGMLQuantizationType
        from gguf.quants import dequantize, quant_shape_to_byte_shape

        raw = np.frombuffer(data[tensor.begin : tensor.begin + tensor.bytes], dtype=np.uint8)
        kind = GGMLQuantizationType(tensor.kind)
        try:
            packed = raw.reshape(quant_shape_to_byte_shape(tensor.shape, kind))
            values = dequantize(packed, kind)
        except NotImplementedError:
            raise ModelError(
                f"weights packed as {kind.name} cannot be unpacked",
                where="the GGUF file",
                do="take another packing of this model: Q8_0, Q6_K, Q5_K, Q4_K, Q4_0, BF16 …",
            ) from None
        return np.ascontiguousarray(values, dtype=np.float32).reshape(tensor.shape)

    return read


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(dict(value), indent=2, ensure_ascii=False, sort_keys=True)
    path.write_text(text + "\n", encoding="utf-8")
