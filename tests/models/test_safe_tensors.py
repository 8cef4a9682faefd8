"""Safetensors headers are checked before any library opens a file; what we write is sound."""

from __future__ import annotations

import json
import struct
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from afina.errors import ModelError
from afina.models import safe, tensors


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


@pytest.mark.parametrize(
    ("dtype", "bad"),
    [
        (dtype, bad)
        for dtype in ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2")
        for bad in ("nan", "inf")
        if (dtype, bad) != ("F8_E4M3", "inf")  # this type has no infinity
    ],
)
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
    values = torch.linspace(-200, 200, 1000)
    spoilt = values.clone()
    spoilt[617] = float(bad)
    both = {"good": values.to(kinds[dtype]), "spoilt": spoilt.to(kinds[dtype])}
    save(both, tmp_path / "model.safetensors")
    header = tensors.read_header(tmp_path / "model.safetensors")
    assert tensors.not_finite(tmp_path / "model.safetensors", header) == ["spoilt"]
    assert safe.check_finite(tmp_path) == ["spoilt"]
