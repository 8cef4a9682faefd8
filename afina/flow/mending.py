"""A cleaned copy of a recipe's data, the list of what was found, redaction undone, drift."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import DataError, RequestError
from afina.flow.people import people_of
from afina.flow.reviewing import Reviewed, write_provenance
from afina.recipe import Recipe

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.data.against import Comparison
    from afina.data.mend import Mended, Redaction
    from afina.data.personal import People


def fix(
    recipe: Recipe,
    dataset: Dataset,
    folder: Path,
    *,
    remove: Sequence[str] = (),
    redact: Redaction | None = None,
    reviewed: Reviewed | None = None,
    people: People | None = None,
) -> Mended:
    """Write the cleaned files and the lists into a new folder. ``dataset`` is that of ``check``, and
    ``people`` what it found names by."""
    from afina.data.mend import mend

    done = mend(
        recipe.data,
        recipe.shapes,
        dataset.check,
        folder,
        remove=remove,
        redact=redact,
        reviewed=reviewed.changes if reviewed else None,
        people=people or people_of(recipe) if redact else None,
    )
    _write_findings(dataset, folder)
    if reviewed is not None:
        write_provenance(reviewed, dataset.fingerprint, folder)
    return done


def write_findings(dataset: Dataset, folder: Path) -> int:
    """Write only the list of findings into a new folder. Returns their number."""
    from afina.data.mend import make_new

    make_new(folder)
    return _write_findings(dataset, folder)


def against(recipe: Recipe, dataset: Dataset, source: str) -> Comparison:
    """Training and validation rows beside a file of what is really asked (any shape of row)."""
    from afina.data.against import compare
    from afina.data.asked import read_asked
    from afina.data.findings import Placed

    rows = [Placed(example, "train") for example in (*dataset.train, *dataset.validation)]
    sample = [asked.text for _, asked in read_asked(source, recipe.data.columns)]
    return compare(rows, sample, recipe.data.split.seed)


def _write_findings(dataset: Dataset, folder: Path) -> int:
    from afina.data.mend import FINDINGS, write_lines

    quality = dataset.check.quality
    found = quality.findings if quality else []
    lines = (json.dumps(f.as_dict(), ensure_ascii=False) for f in found)
    return write_lines(folder / FINDINGS, lines)


def restore(source: Path, keys: Path, out: Path) -> int:
    """Put what a redaction took out back into a file of lines (JSON or text). Returns its lines.

    Raises RequestError if ``out`` is there already, DataError where a file cannot be read as it is.
    """
    from afina.data.mend import write_lines
    from afina.data.personal import restore as put_back
    from afina.data.personal import restore_value
    from afina.store import durable

    if out.exists():
        raise RequestError(
            "is there already, and nothing is written over", where=str(out), do="name another file"
        )
    table = _keys(keys)

    def lines() -> Iterator[str]:
        for number, line in enumerate(_lines(source), 1):
            if source.suffix not in (".jsonl", ".ndjson"):
                yield put_back(line, table)
                continue
            try:
                value = json.loads(line)
            except ValueError as error:
                where = f"{source.name}: row {number}"
                raise DataError(f"not JSON: {error}", where=where, do="mend the line") from None
            yield json.dumps(restore_value(value, table), ensure_ascii=False)

    durable.make_folder(out.parent, 0o777)
    return write_lines(out, lines())


def _keys(path: Path) -> dict[str, str]:
    try:
        table: Any = json.loads("\n".join(_lines(path)))
    except ValueError:
        table = None
    if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
        raise DataError(
            "is no file of keys", where=str(path), do="name the keys.json that the redaction wrote"
        )
    return table


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise DataError(
            f"cannot be read: {reason}", where=str(path), do="check name and permissions"
        ) from None
    return text.removesuffix("\n").split("\n") if text else []
