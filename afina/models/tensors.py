"""Safetensors files: our own check of the header, a streaming writer, a search for NaN.

The header is checked here before any library opens the file, with bounds on all that it claims.
Format: 8 bytes length N (little endian), N bytes of JSON, then the data
(https://github.com/huggingface/safetensors). Knows nothing of models.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_HEADER_BYTES = 16 * 1024 * 1024
"""The format allows 100 MB; 100,000 tensors need less than 16, and parsing more costs memory."""
MAX_TENSORS = 100_000
BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16,
    "I32": 32, "U32": 32, "F32": 32,
    "I64": 64, "U64": 64, "F64": 64, "C64": 64,
}  # fmt: skip
FLOATING = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})
_EXPONENT = {
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("u1", 0x7C),
    "F8_E4M3": ("u1", 0x7F),
}
"""Bits that are all set exactly in NaN and infinity (E4M3 has one NaN and no infinity)."""
_CHUNK_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor as a header tells it. ``begin`` and ``end`` are byte offsets in the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def read_header(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a safetensors file by name, every claim checked against the file.

    Raises ModelError. Reads the header alone, whatever the size of the data.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        first = file.read(8)
        if len(first) < 8:
            raise _broken(path, "the file is cut off: it has no header")
        length = int.from_bytes(first, "little")
        if length > size - 8:
            raise _broken(
                path,
                f"the header claims {length} bytes and the file has {size}: "
                "it is cut off or not a safetensors file",
            )
        if length > MAX_HEADER_BYTES:
            raise _broken(path, f"the header has {length} bytes, more than {MAX_HEADER_BYTES}")
        raw = file.read(length)
    if raw.count(b'"data_offsets"') > MAX_TENSORS:
        raise _broken(path, f"more than {MAX_TENSORS} tensors")
    tensors = _parse(path, raw, data_start=8 + length)
    _check_layout(path, tensors, data_start=8 + length, size=size)
    return tensors


def _parse(path: Path, raw: bytes, *, data_start: int) -> dict[str, StoredTensor]:
    try:
        header = json.loads(raw, object_pairs_hook=unique_names)
    except (ValueError, RecursionError) as error:
        raise _broken(path, f"the header is not valid JSON: {error}") from None
    if not isinstance(header, dict):
        raise _broken(path, "the header is not a JSON object")
    header.pop("__metadata__", None)
    return {name: _tensor(path, name, entry, data_start) for name, entry in header.items()}


def unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        double = next(k for k, _ in pairs if k in seen or seen.add(k))  # type: ignore[func-returns-value]
        raise ValueError(f"the name {double!r} appears twice")
    return found


def _tensor(path: Path, name: str, entry: object, data_start: int) -> StoredTensor:
    if not isinstance(entry, dict):
        raise _broken(path, f"tensor {name!r} has no description")
    dtype, shape, offsets = (entry.get(key) for key in ("dtype", "shape", "data_offsets"))
    if not isinstance(dtype, str) or dtype not in BITS:
        raise _broken(path, f"tensor {name!r} has the unknown number type {dtype!r}")
    if not isinstance(shape, list) or not _sizes(shape):
        raise _broken(path, f"tensor {name!r} has no sane shape: {str(shape)[:80]}")
    if not isinstance(offsets, list) or not _sizes(offsets) or not _ordered(offsets):
        raise _broken(path, f"tensor {name!r} has no sane offsets: {str(offsets)[:80]}")
    tensor = StoredTensor(dtype, tuple(shape), data_start + offsets[0], data_start + offsets[1])
    needed = tensor.numbers * BITS[dtype] // 8
    if needed != tensor.end - tensor.begin:
        raise _broken(
            path,
            f"tensor {name!r} of shape {list(tensor.shape)} needs {needed} bytes "
            f"and has {tensor.end - tensor.begin}",
        )
    return tensor


def _sizes(numbers: list[Any]) -> bool:
    return len(numbers) <= 16 and all(type(n) is int and 0 <= n < 2**62 for n in numbers)


def _ordered(offsets: list[int]) -> bool:
    return len(offsets) == 2 and offsets[0] <= offsets[1]


def _check_layout(
    path: Path, tensors: Mapping[str, StoredTensor], *, data_start: int, size: int
) -> None:
    at, before = data_start, ""
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.end > size:
            raise _broken(
                path,
                f"tensor {name!r} ends at byte {tensor.end} and the file has {size}: it is cut off",
            )
        if tensor.begin < at:
            raise _broken(path, f"tensors {before!r} and {name!r} overlap")
        if tensor.begin > at:
            raise _broken(path, f"{tensor.begin - at} bytes before tensor {name!r} belong to none")
        at, before = tensor.end, name
    if at != size:
        raise _broken(path, f"{size - at} bytes at the end belong to no tensor")


def _broken(path: Path, what: str) -> ModelError:
    return ModelError(what, where=str(path), do="fetch the file again from where it came from")


# ---------------------------------------------------------------------------- content


def not_finite(path: Path, tensors: Mapping[str, StoredTensor]) -> list[str]:
    """Names of the tensors that hold a NaN or an infinity; reads in pieces of 16 MB."""
    import numpy as np

    found = []
    with path.open("rb") as file:
        for name, tensor in sorted(tensors.items(), key=lambda item: item[1].begin):
            if tensor.dtype not in _EXPONENT:
                continue
            kind, mask = _EXPONENT[tensor.dtype]
            file.seek(tensor.begin)
            left = tensor.end - tensor.begin
            while left:
                bits = np.frombuffer(file.read(min(left, _CHUNK_BYTES)), dtype=kind)
                left -= bits.nbytes
                if bool(((bits & mask) == mask).any()):
                    found.append(name)
                    break
    return found


@dataclass(frozen=True)
class NewTensor:
    """A tensor to write: its shape and its rows in order, float32, in pieces of any length."""

    shape: tuple[int, ...]
    pieces: Iterable[NDArray[np.float32]]


def write(path: Path, tensors: Mapping[str, NewTensor], dtype: str) -> None:
    """Write float tensors as BF16, F16 or F32, one piece in memory at a time, sorted by name.

    The same tensors give the same bytes on every machine. Rounds to nearest, ties to even.
    """
    width = BITS[dtype] // 8
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name in sorted(tensors):
        end = at + math.prod(tensors[name].shape) * width
        header[name] = {
            "dtype": dtype,
            "shape": list(tensors[name].shape),
            "data_offsets": [at, end],
        }
        at = end
    raw = json.dumps(header, separators=(",", ":")).encode()
    raw += b" " * (-len(raw) % 8)
    with path.open("wb") as file:
        file.write(len(raw).to_bytes(8, "little") + raw)
        for name in sorted(tensors):
            written = 0
            for piece in tensors[name].pieces:
                data = as_bytes(piece, dtype)
                file.write(data)
                written += len(data)
            if written != math.prod(tensors[name].shape) * width:
                raise AssertionError(f"{name} has another size than announced")


def as_bytes(values: NDArray[np.float32], dtype: str) -> bytes:
    """Float32 values as little-endian BF16, F16 or F32."""
    import numpy as np

    values = np.ascontiguousarray(values, dtype="<f4")
    if dtype == "F32":
        return values.tobytes()
    if dtype == "F16":
        return values.astype("<f2").tobytes()
    if dtype != "BF16":
        raise AssertionError(f"{dtype} is not written here")
    bits = values.view("<u4")
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    quiet = np.where(np.isnan(values), (bits >> 16) | 0x40, rounded)
    return quiet.astype("<u2").tobytes()


def rows(values: NDArray[Any], count: int) -> Iterator[NDArray[Any]]:
    """An array in pieces of so many rows."""
    for start in range(0, max(1, len(values)), count):
        yield values[start : start + count]


def names(tensors: Sequence[str], most: int = 5) -> str:
    """A few names for a message, and how many more there are."""
    more = f" and {len(tensors) - most} more" if len(tensors) > most else ""
    return ", ".join(tensors[:most]) + more
