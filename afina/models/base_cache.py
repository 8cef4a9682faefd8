"""The user's folder of base models: where it is, who may write, how a base gets in whole.

A base appears in it by one rename, so a reader needs no lock; writers of the same base wait for
each other. Knows nothing of what a base contains.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from afina.errors import MachineError

Say = Callable[[str], None]
CARD = "base.json"
"""File in a cached base that says where it came from; a folder without it is not complete."""


def cache_folder(chosen: Path | None = None) -> Path:
    """``chosen``, else ``AFINA_CACHE``, else the platform's cache folder. Nothing is created."""
    if chosen is not None:
        return chosen.expanduser().absolute()
    wished = os.environ.get("AFINA_CACHE", "").strip()
    if wished:
        return Path(wished).expanduser().absolute()
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else _home() / "AppData" / "Local") / "afina" / "cache"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "afina"
    shared = os.environ.get("XDG_CACHE_HOME", "").strip()
    return (Path(shared) if shared else _home() / ".cache") / "afina"


def _home() -> Path:
    try:
        home = Path.home()
    except RuntimeError:
        home = Path()
    if not home.is_absolute():
        raise MachineError(
            "there is no home folder to keep base models in",
            where="HOME",
            do="set AFINA_CACHE to a folder that you may write to",
        )
    return home


def slug(name: str) -> str:
    """A hub id, or any text, as the name of one folder: ``org/name`` becomes ``org--name``."""
    return re.sub(r"[^A-Za-z0-9._@-]", "-", name.replace("/", "--"))


def folder_of(cache: Path, key: str) -> Path:
    """Where the base of that key lies, or would lie."""
    return cache / "bases" / slug(key)


def is_complete(folder: Path) -> bool:
    """Whether a cached base is whole: the card comes with the rename that publishes it."""
    return (folder / CARD).is_file()


def read_card(folder: Path) -> dict[str, Any]:
    """What was noted when the base came in; empty for a folder that is not of this cache."""
    path = folder / CARD
    if not path.is_file():
        return {}
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        card = None
    if not isinstance(card, dict):
        raise MachineError(
            "the note about this base is damaged",
            where=str(path),
            do=f"delete the folder {folder}; it is made again when it is next needed",
        )
    return card


@contextmanager
def locked(cache: Path, key: str, say: Say) -> Iterator[None]:
    """Hold the right to write one base; waits, and says so, while another process has it.

    Raises MachineError if the cache cannot be written.
    """
    from filelock import FileLock, Timeout

    locks = cache / "locks"
    try:
        locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(locks / f"{slug(key)}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"another process is preparing {key}: waiting for it")
            lock.acquire()
    except OSError as error:
        raise unwritable(cache, error) from None
    try:
        yield
    finally:
        lock.release()


def unwritable(cache: Path, error: OSError) -> MachineError:
    """The error for a cache folder that refuses a write."""
    return MachineError(
        f"the folder for base models cannot be written: {error.strerror or error}",
        where=str(cache),
        do="set AFINA_CACHE to a folder that you may write to and that has room",
    )


@contextmanager
def staged(cache: Path, key: str, card: Mapping[str, Any]) -> Iterator[Path]:
    """A folder to build a base in; at the end it gets its card and becomes the cached base.

    Call it under ``locked``. What a killed process left of the same base is removed first. An
    exception inside leaves the cache as it was.
    """
    target = folder_of(cache, key)
    prefix = f".stage--{slug(key)}--"
    stage = target.parent / f"{prefix}{uuid.uuid4().hex[:8]}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        for left in target.parent.glob(f"{prefix}*"):
            shutil.rmtree(left)
        stage.mkdir()
    except OSError as error:
        raise unwritable(cache, error) from None
    try:
        yield stage
        text = json.dumps(dict(card), indent=2, ensure_ascii=False, sort_keys=True)
        (stage / CARD).write_text(text + "\n", encoding="utf-8")
        _sync(stage)
        if target.exists():
            shutil.rmtree(target)
        stage.rename(target)
        _sync_folder(target.parent)
    except OSError as error:
        raise unwritable(cache, error) from None
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def check_room(cache: Path, needed_bytes: int, what: str) -> None:
    """Raise MachineError, with both figures, if the disk of the cache has not that much room."""
    existing = cache
    while not existing.exists():
        existing = existing.parent
    free_bytes = shutil.disk_usage(existing).free
    if free_bytes < needed_bytes:
        raise MachineError(
            f"{what} needs {needed_bytes / 1e9:.2f} GB and the disk has {free_bytes / 1e9:.2f} GB",
            where=str(cache),
            do="make room, or set AFINA_CACHE to a folder on a larger disk",
        )


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# ---------------------------------------------------------------------------- notes


def read_note(cache: Path, path: Path, stamp: object) -> dict[str, Any] | None:
    """What was noted about a file or folder when it had this stamp (names, sizes, times)."""
    try:
        note = json.loads(_note_path(cache, path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # never noted, or cut off: it is worked out again
    if not isinstance(note, dict) or note.get("stamp") != stamp:
        return None
    facts = note.get("facts")
    return facts if isinstance(facts, dict) else None


def write_note(cache: Path, path: Path, stamp: object, facts: Mapping[str, Any]) -> None:
    """Keep what was worked out about a file or folder. Without a cache to write, nothing is kept:
    a note only saves time.
    """
    target = _note_path(cache, path)
    fresh = target.with_suffix(f".{uuid.uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({"stamp": stamp, "facts": dict(facts)}), encoding="utf-8")
        fresh.replace(target)
    except OSError:
        fresh.unlink(missing_ok=True) if fresh.exists() else None


def _note_path(cache: Path, path: Path) -> Path:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]
    return cache / "notes" / f"{digest}.json"


def _sync(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
        elif path.is_dir():
            _sync_folder(path)
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # Windows has no handle to a folder that could be flushed
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
