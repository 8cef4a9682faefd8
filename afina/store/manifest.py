"""``manifest.json``: what a folder holds, byte for byte.

It ends with the hash of its own content, and it is read back strictly: its bytes must be those that
its content would be written as. So a flipped bit in the manifest itself is found too.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import CorruptError
from afina.store import strict_json
from afina.store.disk import storing
from afina.store.durable import read_text, sha256_file, write_text

NAME = "manifest.json"
_OWN_HASH = "manifest_sha256"
_DO = "restore the folder from a copy, or make it again"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a folder: its name from there (with ``/``), its size and its content's hash."""

    name: str
    size_bytes: int
    sha256: str


def inventory(folder: Path, skip: Callable[[str], bool]) -> tuple[FileRecord, ...]:
    """A record of each file below ``folder``, by name; ``skip`` is asked for files and folders."""
    return tuple(
        FileRecord(name, (folder / name).stat().st_size, sha256_file(folder / name))
        for name in names(folder, skip)
    )


def names(folder: Path, skip: Callable[[str], bool]) -> tuple[str, ...]:
    """The names of the files below ``folder`` (from there, with ``/``), sorted."""
    found: list[str] = []
    with storing(folder, "read"):
        for place, folders, files in os.walk(folder, onerror=_raise):
            begin = Path(place).relative_to(folder)
            folders[:] = [f for f in folders if not skip((begin / f).as_posix())]
            found += [(begin / f).as_posix() for f in files]
    return tuple(sorted(name for name in found if not skip(name)))


def write(folder: Path, facts: Mapping[str, Any], files: tuple[FileRecord, ...]) -> None:
    """Write the manifest of a folder, durably."""
    path = folder / NAME
    rows = [{"name": f.name, "bytes": f.size_bytes, "sha256": f.sha256} for f in files]
    write_text(path, _text({**facts, "files": rows}, path))


def read(folder: Path) -> tuple[dict[str, Any], tuple[FileRecord, ...]]:
    """Facts and files of a manifest. Raises CorruptError if it is not exactly as it was written."""
    path = folder / NAME
    if path.is_symlink():  # it may lead anywhere
        raise CorruptError("the manifest is a link", where=str(path), do=_DO)
    text = read_text(path)
    try:
        value = strict_json.loads(text)
        value.pop(_OWN_HASH)
        rows = value.pop("files")
        files = tuple(FileRecord(row["name"], row["bytes"], row["sha256"]) for row in rows)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise CorruptError("the manifest cannot be read", where=str(path), do=_DO) from None
    if _text({**value, "files": rows}, path) != text:
        raise CorruptError("the manifest has been changed", where=str(path), do=_DO)
    return value, files


def difference(folder: Path, record: FileRecord, *, content: bool = True) -> str:
    """What is wrong with a recorded file: "" if nothing. ``content`` False: only its size is read.

    A link in the place of the file is a difference: it may lead anywhere.
    """
    path = folder / record.name
    with storing(path, "read"):
        try:
            found = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            return f"{record.name} is missing"
    if not stat.S_ISREG(found.st_mode):
        return f"{record.name} is not a plain file"
    if found.st_size != record.size_bytes:
        return f"{record.name} has {found.st_size} bytes instead of {record.size_bytes}"
    if content and sha256_file(path) != record.sha256:
        return f"{record.name} has other content than was written"
    return ""


def _text(value: Mapping[str, Any], path: Path) -> str:
    content = strict_json.dumps(value, str(path))
    own = hashlib.sha256(content.encode("utf-8")).hexdigest()
    return strict_json.dumps({**value, _OWN_HASH: own}, str(path), indent=2) + "\n"


def _raise(error: OSError) -> None:
    raise error
