"""What the disk says: errors in words, free space, and the kind of filesystem.

Errors of the operating system become MachineError here, with figures and what to do.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from afina.errors import AfinaError, MachineError

MOUNTS = Path("/proc/mounts")
"""The kernel's table of mounted filesystems (Linux; see proc_mounts(5))."""

NETWORK_FILESYSTEMS = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "afs",
        "9p",
        "ceph",
        "lustre",
        "gpfs",
        "beegfs",
        "glusterfs",
        "ocfs2",
        "gfs2",
        "davfs",
        "ncpfs",
        "fuse.sshfs",
        "fuse.glusterfs",
        "fuse.cephfs",
        "fuse.s3fs",
        "fuse.rclone",
        "fuse.davfs",
        "fuse.gcsfuse",
    }
)
"""Where several machines may see one file: SQLite's locks and shared memory cannot be trusted."""

_REMEDIES = {
    errno.ENOSPC: "free some space there, or use a home on another disk (--home)",
    errno.EDQUOT: "free some of your quota, or use a home on another disk (--home)",
    errno.EROFS: "that disk is read-only: use a home on another one (--home)",
    errno.EACCES: "check the permissions, or use a home that is yours (--home)",
    errno.EPERM: "check the permissions, or use a home that is yours (--home)",
    errno.EIO: "the disk reports faults: see the system's log, and use a home on another one",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENFILE: "too many files are open on this machine: end other programs",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.ENOENT: "check that the folder still exists",
    errno.ENOTDIR: "a part of that path is a file: choose another path",
    errno.EISDIR: "there is a folder of that name: choose another path",
    errno.ENOLCK: "this filesystem has no locks: use a home on a local disk (--home)",
}


@contextmanager
def storing(path: Path, doing: str) -> Iterator[None]:
    """The border to the disk: any OSError inside is raised as MachineError about ``path``."""
    try:
        yield
    except OSError as error:
        raise storage_error(error, path, doing) from error


def storage_error(error: OSError, path: Path, doing: str) -> MachineError:
    """The sentence for an error of the operating system while ``doing`` something to ``path``."""
    number = error.errno or 0
    reason = (error.strerror or str(error) or type(error).__name__).lower()
    what = f"cannot {doing} this: {reason}"
    if number in (errno.ENOSPC, errno.EDQUOT):
        what += f" ({_free_words(path)})"
    where = str(path)
    touched = error.filename
    if isinstance(touched, str) and touched != where and number not in (errno.ENOSPC, errno.EDQUOT):
        where = f"{where} (at {touched})"
    return MachineError(what, where=where, do=_REMEDIES.get(number, "see afina doctor"))


def fault(what: str, where: str | Path) -> AfinaError:
    """The error for a mistake of Afina's own code, found before anything was written."""
    do = "this is a fault of Afina: please report it with these lines"
    return AfinaError(what, where=str(where), do=do)


def free_bytes(folder: str | Path) -> int:
    """Bytes that this user may still write where ``folder`` is, or will be. Quotas are not seen.

    Raises MachineError if the disk cannot be asked.
    """
    place = _existing(Path(folder))
    with storing(place, "ask for the free space of"):
        return shutil.disk_usage(place).free


def require_free(folder: str | Path, needed_bytes: int, purpose: str) -> None:
    """Raise MachineError with both figures if fewer than ``needed_bytes`` are free."""
    free = free_bytes(folder)
    if free < needed_bytes:
        raise MachineError(
            f"not enough space for {purpose}: {amount(needed_bytes)} needed, {amount(free)} free",
            where=str(folder),
            do=_REMEDIES[errno.ENOSPC],
        )


def amount(size_bytes: int) -> str:
    """Bytes as people read them, in powers of 1000: ``1.6 GB``."""
    size = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size_bytes} bytes" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def filesystem_type(path: str | Path, mounts: Path = MOUNTS) -> str:
    """The kind of filesystem that holds ``path`` (``ext4``, ``nfs4``), or "" where it is not told.

    Told by the kernel's table of mounts, so on Linux only.
    """
    try:
        table = mounts.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux, or hidden in a container: nothing is known
        return ""
    target = Path(path).resolve()
    best, found = -1, ""
    for line in table.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:
            continue
        point = Path(_unescape(fields[1]))
        depth = len(point.parts)
        if target.is_relative_to(point) and depth >= best:  # a later mount hides an earlier one
            best, found = depth, fields[2]
    return found


def refuse_network_filesystem(path: str | Path, mounts: Path = MOUNTS) -> None:
    """Raise MachineError if a SQLite file at ``path`` would lie on a network filesystem."""
    kind = filesystem_type(path, mounts)
    if kind in NETWORK_FILESYSTEMS:
        raise MachineError(
            f"a SQLite database on a network filesystem ({kind}) can be destroyed by two writers",
            where=str(path),
            do="use a home on a local disk (--home), or name a database server in AFINA_REGISTRY "
            "(postgresql+psycopg://…)",
        )


def _unescape(field: str) -> str:
    """Undo the octal escapes of the table of mounts (a space is written ``\\040``)."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _existing(path: Path) -> Path:
    place = path.absolute()
    while not place.exists() and place != place.parent:
        place = place.parent
    return place


def _free_words(path: Path) -> str:
    try:
        usage = shutil.disk_usage(_existing(path))
        inodes = os.statvfs(_existing(path)).f_favail
    except OSError:  # the sentence is complete without the figure
        return "the free space cannot be read"
    left = f"{amount(usage.free)} of {amount(usage.total)} are free"
    return left if inodes else left + ", but no file can be added: the disk is out of inodes"
