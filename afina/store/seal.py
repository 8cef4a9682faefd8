"""The seal of a run: every file with its hash, the versions, and the command that repeats it."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from afina.errors import RunError
from afina.store import folders, journal, lock, manifest
from afina.store.disk import fault
from afina.store.durable import TEMPORARY_PREFIX, TORN_SUFFIX, fsync_file, fsync_folder

CHECKPOINTS = "checkpoints"
_LIVING = {manifest.NAME, journal.EVENTS, journal.EVENTS + TORN_SUFFIX, lock.NAME, CHECKPOINTS}
"""What goes on changing after a run is sealed, and the seal itself."""
_UNFINISHED = (TEMPORARY_PREFIX, folders.STAGE, folders.OLD, folders.DROPPED)
_PACKAGES = (
    "afina",
    "torch",
    "transformers",
    "peft",
    "tokenizers",
    "safetensors",
    "numpy",
    "scikit-learn",
    "bitsandbytes",
)
_OWN = frozenset({"run", "sealed", "versions", "files", "manifest_sha256"})


@dataclass(frozen=True, slots=True)
class Verification:
    """How a sealed run differs from its seal. Names are from the run's folder."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Whether nothing differs."""
        return not (self.changed or self.missing or self.extra)

    def as_dict(self) -> dict[str, Any]:
        """The three lists and ``whole``."""
        return {"whole": self.whole, **asdict(self)}


def versions() -> dict[str, str]:
    """Versions of what decides a result, without importing any of it."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def seal_folder(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write the manifest of a run, after every file in it is on the disk. May be done again."""
    if clash := _OWN & facts.keys():
        raise fault(f"a manifest has its own {' and '.join(sorted(clash))}", folder / manifest.NAME)
    files = manifest.inventory(folder, _not_sealed)
    for place in {folder / record.name for record in files}:
        fsync_file(place)
    for place in {(folder / record.name).parent for record in files}:
        fsync_folder(place)
    head = {"run": folder.name, "sealed": journal.now(), **facts, "versions": versions()}
    manifest.write(folder, head, files)


def verify_folder(folder: Path) -> Verification:
    """Compare a run with its seal, byte for byte.

    Raises RunError if it was never sealed, CorruptError if the seal itself was changed.
    """
    if not (folder / manifest.NAME).exists():
        raise RunError(
            "this run was never sealed: it has not succeeded",
            where=folder.name,
            do=f"afina train --resume {folder.name}",
        )
    _, files = manifest.read(folder)
    wrong = {record.name: manifest.difference(folder, record) for record in files}
    missing = {name for name, what in wrong.items() if what == f"{name} is missing"}
    changed = {name for name, what in wrong.items() if what} - missing
    extra = set(manifest.names(folder, _not_sealed)) - wrong.keys()
    return Verification(tuple(sorted(changed)), tuple(sorted(missing)), tuple(sorted(extra)))


def _not_sealed(name: str) -> bool:
    return name in _LIVING or name.rpartition("/")[2].startswith(_UNFINISHED)
