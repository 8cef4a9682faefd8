"""Parquet, batch by batch, through pyarrow."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from afina.data.rows import MAX_FILE_BYTES, Notes, Problem, Row, place
from afina.data.sources import opened
from afina.errors import DataError, MachineError

BATCH_ROWS = 1024


def read_parquet(
    path: Path, name: str, encoding: str | None, notes: Notes
) -> Iterator[Row | Problem]:
    """Rows of a Parquet file. Dates become ISO 8601; an absent field of a struct is left out."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MachineError(
            "Parquet needs the package pyarrow", where=name, do="pip install pyarrow"
        ) from None
    if encoding is not None:
        notes.add(f"{name}: Parquet knows its own encoding; data.encoding is of no use")
    if path.suffix.lower() == ".gz":
        raise DataError("a packed Parquet file", where=name, do="unpack it: gunzip FILE")
    try:
        with opened(path, name) as stream, pyarrow.parquet.ParquetFile(stream) as file:
            _refuse_huge(file, name)
            names = [str(n) for n in file.schema_arrow.names]
            if len({n.casefold() for n in names}) < len(names):
                raise DataError(
                    f"two columns have the same name: {', '.join(names)}",
                    where=name,
                    do="rename one",
                )
            row = 0
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                for values in batch.to_pylist():
                    row += 1
                    yield Row({k: _plain(v) for k, v in values.items()}, place(name, row))
    except (pyarrow.ArrowException, ValueError) as error:
        what = str(error).splitlines()[0][:160] if str(error) else "it cannot be read"
        raise DataError(
            f"not a whole Parquet file: {what}", where=name, do="copy or write the file again"
        ) from None


def _refuse_huge(file: Any, name: str) -> None:
    metadata = file.metadata
    for i in range(metadata.num_row_groups):
        if metadata.row_group(i).total_byte_size > MAX_FILE_BYTES:
            raise DataError(
                f"row group {i} states {metadata.row_group(i).total_byte_size:,} bytes",
                where=name,
                do=f"write row groups of at most {MAX_FILE_BYTES:,} bytes",
            )


def _plain(value: Any) -> Any:
    """Values as JSON has them. Arrow fills absent fields of a struct with null: left out again."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_plain(v) for v in value]
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Decimal) and value.is_finite():
        return int(value) if value == value.to_integral_value() else float(value)
    return value
