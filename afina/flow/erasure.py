"""Which runs learned from a record: the index of each run, and the question to all of them.

The salt of the hashes lies in the home folder, readable by its owner alone; a run folder that is
given away tells nothing about the values in its data.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afina.errors import CorruptError, RequestError

if TYPE_CHECKING:
    from afina.data import Dataset
    from afina.store import Run

SALT, INDEX = "trace.salt", "held.json"


@dataclass(frozen=True, slots=True)
class Held:
    """One run in whose data the record stood; of several tasks, the data of one of them."""

    run: str
    folder: str
    status: str
    parts: tuple[str, ...]
    """``train``: the model learned from it; ``validation`` and ``test``: it was measured with it."""
    fingerprint: str
    model: bool
    """Whether the run still has a model."""
    promoted: tuple[str, ...]
    """The names by which that model is served."""


@dataclass(frozen=True, slots=True)
class Trace:
    """The answer: the runs that held the record, and those that cannot tell."""

    held: tuple[Held, ...]
    unknown: tuple[str, ...]
    """Runs without an index of values, or with one of another home's salt."""

    def as_dict(self) -> dict[str, Any]:
        return {"runs": [asdict(held) for held in self.held], "unknown": list(self.unknown)}


def write_index(run: Run, dataset: Dataset, folder: str) -> None:
    """Note in a folder of the run which personal values its data hold, as salted hashes."""
    from afina.data.personal import index

    if dataset.check.quality is not None:
        run.write(f"{folder}/{INDEX}", index(dataset.check.quality.personal, _salt(run.home)))


def trace(home: Path, *, value: str | None = None, row: str | None = None) -> Trace:
    """The runs whose data held a value (a telephone number …) or a row (its id).

    Raises RequestError unless exactly one of both is given.
    """
    from afina.store import Registry, Run
    from afina.store.find import run_folders

    if (value is None) == (row is None) or not (value or row or "").strip():
        raise RequestError(
            "one value or one row id is asked for",
            where="afina trace",
            do="afina trace VALUE, or afina trace --row ID",
        )
    salt = _salt(home) if (home / SALT).exists() else b""
    promoted = Registry(home).promoted() if Registry.exists(home) else {}
    held, unknown = [], []
    for folder in run_folders(home):
        run = Run.open(home, folder)
        folders = sorted(p.parent for p in (run.folder / "data").rglob("splits.json"))
        found = [_parts(place, value, row, salt) for place in folders]
        if not found or None in found:
            unknown.append(run.id)
            continue
        for place, parts in zip(folders, found, strict=True):
            if parts:
                held.append(_held(run, place, parts, promoted))
    return Trace(tuple(held), tuple(unknown))


def _parts(folder: Path, value: str | None, row: str | None, salt: bytes) -> list[str] | None:
    """In which parts of the data of one task it stood; None where that was not noted."""
    from afina.data.personal import parts_with, salt_name
    from afina.store.durable import read_json

    if row is not None:
        return [part for part, ids in read_json(folder / "splits.json").items() if row in ids]
    stored = read_json(folder / INDEX) if (folder / INDEX).is_file() else None
    if stored is None or stored["salt"] != salt_name(salt):
        return None
    return parts_with(value or "", stored, salt)


def _held(run: Run, folder: Path, parts: list[str], promoted: dict[str, str]) -> Held:
    from afina.store.durable import read_json

    return Held(
        run.id,
        str(run.folder),
        run.status,
        tuple(parts),
        str(read_json(folder / "fingerprint.json")["fingerprint"]),
        run.model_folder.is_dir(),
        tuple(sorted(name for name, run_id in promoted.items() if run_id == run.id)),
    )


def _salt(home: Path) -> bytes:
    """The salt of this home; made where there is none."""
    from afina.store import durable

    path = home / SALT
    if not path.exists():
        durable.make_folder(home)
        durable.write_private(path, secrets.token_hex(32) + "\n")
    try:
        salt = bytes.fromhex(durable.read_text(path).strip())
    except ValueError:
        salt = b""
    if len(salt) != 32:
        raise CorruptError(
            "is not the salt that was written",
            where=str(path),
            do="restore the file; without it older runs cannot tell what their data held",
        )
    return salt


__all__ = ["Held", "Trace", "trace", "write_index"]
