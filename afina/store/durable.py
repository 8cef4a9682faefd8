"""Files that survive a power cut: after it there is the old content or the new, never a mixture.

A whole file is written beside its place, fsynced, renamed over it, and the folder is fsynced. A
line is appended in one write under a lock. An fsync that fails is an error, never tried again on
the same file: the second one may lie (PostgreSQL's ``data_sync_retry``).

Every error of the disk is a MachineError; a file that cannot be read as it was written is a
CorruptError.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import CorruptError
from afina.store import strict_json
from afina.store.disk import fault, free_bytes, require_free, storage_error, storing

__all__ = [
    "Lines",
    "append_json",
    "free_bytes",
    "fsync_file",
    "fsync_folder",
    "fsync_tree",
    "make_folder",
    "mend_lines",
    "read_json",
    "read_lines",
    "read_text",
    "require_free",
    "sha256_file",
    "storage_error",
    "write_bytes",
    "write_json",
    "write_private",
    "write_text",
]

TEMPORARY_PREFIX, TEMPORARY_SUFFIX = ".afina-", ".tmp"
TORN_SUFFIX = ".torn"
"""Beside a file of lines: what was cut off because it had never been wholly written."""


# ---------------------------------------------------------------------------- whole files


def write_bytes(path: str | Path, data: bytes) -> None:
    """Put ``data`` in the place of the file, durably. Its folder must exist."""
    target = Path(path)
    with storing(target, "write"):
        mode = _mode_of(target)
        temporary = target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{TEMPORARY_SUFFIX}"
        placed = False
        try:
            _write_new(temporary, data, mode)
            os.replace(temporary, target)
            placed = True
        finally:
            if not placed:
                with suppress(OSError):  # the first error is the one to tell
                    os.unlink(temporary)
        fsync_folder(target.parent)


def write_text(path: str | Path, text: str) -> None:
    """``write_bytes`` of a text in UTF-8."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """``write_bytes`` of a value as indented strict JSON (see ``strict_json``)."""
    write_text(path, strict_json.dumps(value, str(path), indent=2) + "\n")


def write_private(path: str | Path, text: str) -> None:
    """Write a new file that only its owner may read. One that is there already is an error."""
    target = Path(path)
    with storing(target, "write"):
        _write_new(target, text.encode("utf-8"), 0o600)
        fsync_folder(target.parent)


def read_text(path: str | Path) -> str:
    """The text of a file in UTF-8. Raises CorruptError if it is missing or not UTF-8."""
    file = Path(path)
    try:
        return _read(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise CorruptError(
            f"the file is not text in UTF-8 (byte {error.start})", where=str(file), do=_RESTORE
        ) from None


def read_json(path: str | Path) -> Any:
    """The value of a strict JSON file. Raises CorruptError, with line and column."""
    text = read_text(path)
    try:
        return strict_json.loads(text)
    except ValueError as error:
        what = f"the file is not JSON as it was written: {error}"
        raise CorruptError(what, where=str(path), do=_RESTORE) from None
    except RecursionError:
        what = "the file is not JSON as it was written: too deep"
        raise CorruptError(what, where=str(path), do=_RESTORE) from None


def sha256_file(path: str | Path) -> str:
    """The sha256 of a file's content, in hexadecimal."""
    file = Path(path)
    with storing(file, "read"), file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


# ---------------------------------------------------------------------------- lines


@dataclass(frozen=True, slots=True)
class Lines:
    """A file of JSON lines. ``torn``: bytes at its end that never became a whole line."""

    values: tuple[dict[str, Any], ...]
    torn: bytes = b""


def append_json(path: str | Path, value: Any, *, sync: bool = True) -> None:
    """Add one line of strict JSON, in one write under a lock, so that writers never mix.

    ``sync``: fsync the file; without it a power cut may lose the line, a killed process does not.
    A torn last line is set aside first (``mend_lines``). If the line does not fit, the file is as
    before.
    """
    file = Path(path)
    line = strict_json.dumps(value, str(file)).encode("utf-8") + b"\n"
    with storing(file, "add a line to"):
        new = not file.exists()
        number = os.open(file, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            _set_torn_aside(number, file)
            size = os.fstat(number).st_size
            written = os.write(number, line)
            if written != len(line):
                os.ftruncate(number, size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file))
            if sync:
                _sync(number)
        finally:
            os.close(number)
        if new and sync:
            fsync_folder(file.parent)


def read_lines(path: str | Path) -> Lines:
    """The values of a file of JSON lines; no file is no lines.

    A line counts once its newline is there, so the end of a line that was being written when the
    machine stopped is ``torn`` and not a value. Raises CorruptError naming the line for any other
    that is not a JSON object.
    """
    file = Path(path)
    if not file.exists():
        return Lines(())
    whole, torn = split_torn(file)
    values = []
    for number, line in enumerate(whole, 1):
        value = line_value(line)
        if value is None:
            raise CorruptError(
                "the line is not a JSON object", where=f"{file}: line {number}", do=_RESTORE
            )
        values.append(value)
    return Lines(tuple(values), torn)


def line_value(line: bytes) -> dict[str, Any] | None:
    """The object of one line, or None if it is not one."""
    try:
        value = strict_json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        return None
    return value if isinstance(value, dict) else None


def mend_lines(path: str | Path) -> int:
    """Move a torn last line into ``<name>.torn``. Returns its length in bytes (0: nothing torn)."""
    file = Path(path)
    with storing(file, "mend"):
        if not file.exists():
            return 0
        number = os.open(file, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(number, fcntl.LOCK_EX)
            return _set_torn_aside(number, file)
        finally:
            os.close(number)


def keep_torn(file: Path, piece: bytes) -> None:
    """Add bytes that are no line to ``<name>.torn``, durably, so that nothing just disappears."""
    with storing(file, "set torn lines of"):
        target = file.with_name(file.name + TORN_SUFFIX)
        number = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            _write_all(number, piece + b"\n")
            _sync(number)
        finally:
            os.close(number)
        fsync_folder(file.parent)


def _set_torn_aside(number: int, file: Path) -> int:
    size = os.fstat(number).st_size
    if size == 0 or os.pread(number, 1, size - 1) == b"\n":
        return 0
    _, torn = split_torn(file)
    keep_torn(file, torn)
    os.ftruncate(number, size - len(torn))
    _sync(number)
    return len(torn)


def split_torn(file: Path) -> tuple[list[bytes], bytes]:
    """The whole lines of a file, each with its newline, and the torn rest."""
    lines = [line + b"\n" for line in _read(file).split(b"\n")]
    torn = lines.pop().removesuffix(b"\n")
    return lines, torn


# ---------------------------------------------------------------------------- folders and fsync


def make_folder(path: str | Path, mode: int = 0o700) -> None:
    """Make a folder and the missing ones above it, durably. One that exists stays as it is."""
    folder = Path(path)
    missing = []
    place = folder
    while not place.exists():
        missing.append(place)
        place = place.parent
    with storing(folder, "make the folder"):
        for place in reversed(missing):
            with suppress(FileExistsError):  # another process was faster
                os.mkdir(place, mode)
            fsync_folder(place.parent)
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))


def fsync_file(path: str | Path) -> None:
    """Wait until the content of a file, whoever wrote it, is on the disk."""
    file = Path(path)
    with storing(file, "write"):
        number = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            _sync(number)
        finally:
            os.close(number)


def fsync_folder(path: str | Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = Path(path)
    with storing(folder, "write"):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        except OSError as error:
            # Some filesystems (CIFS, some FUSE) know no fsync of a folder and say so in this way.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(number)


def fsync_tree(path: str | Path) -> None:
    """fsync every file below a folder and then every folder, the folder itself last.

    Only plain files and folders may be in it: anything else is a fault of who filled it.
    """
    folder = Path(path)
    with storing(folder, "write"):
        for place, folders, files in os.walk(folder, topdown=False, onerror=_raise):
            for name in folders + files:
                kind = os.lstat(Path(place, name)).st_mode
                if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
                    raise fault("only plain files may be stored", Path(place, name))
            for name in files:
                fsync_file(Path(place, name))
            fsync_folder(place)


# ---------------------------------------------------------------------------- inside

_RESTORE = "restore the file from a copy, or make it again"


def _write_new(file: Path, data: bytes, mode: int | None) -> None:
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        if mode is not None:
            os.fchmod(number, mode)
        _write_all(number, data)
        _sync(number)
    finally:
        os.close(number)


def _write_all(number: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(number, view) :]


def _sync(number: int) -> None:
    """fsync of an open file, through to the medium where the system has a call for that."""
    os.fsync(number)
    full = getattr(fcntl, "F_FULLFSYNC", None)  # macOS: fsync stops at the drive's own cache
    if full is not None:
        fcntl.fcntl(number, full)


def _mode_of(target: Path) -> int | None:
    """The permissions that a replaced file keeps."""
    try:
        found = os.stat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    return stat.S_IMODE(found.st_mode)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CorruptError("the file is missing", where=str(file), do=_RESTORE) from None
    except IsADirectoryError:
        what = "there is a folder in the place of the file"
        raise CorruptError(what, where=str(file), do=_RESTORE) from None
    except OSError as error:
        raise storage_error(error, file, "read") from error


def _raise(error: OSError) -> None:
    raise error
