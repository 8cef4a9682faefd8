"""From what a recipe names (file, glob, folder, hub data set) to regular files that can be read.

Knows nothing of what stands in them. Opens nothing but regular files: no pipes, no devices,
nothing below ``/proc``, ``/sys`` or ``/dev``.
"""

from __future__ import annotations

import glob
import io
import os
import re
import stat
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from gzip import BadGzipFile, GzipFile
from pathlib import Path
from typing import IO, Any

from afina.data.rows import MAX_FILE_BYTES
from afina.errors import DataError, nearest

SUFFIXES = (
    ".csv",
    ".tsv",
    ".tab",
    ".json",
    ".jsonl",
    ".ndjson",
    ".parquet",
    ".txt",
    ".text",
    ".md",
    ".conll",
    ".iob",
    ".iob2",
    ".bio",
    ".train",
    ".testa",
    ".testb",
)
TABLES = tuple(s for s in SUFFIXES if s not in (".txt", ".text", ".md"))
_KNOWN = f"known: {', '.join(SUFFIXES)}, each also as .gz (but .parquet)"
MAX_GZIP_RATIO = 200
FREE_GZIP_BYTES = 64 * 2**20
"""A packed file may always grow to this; beyond it the ratio counts."""
_MACHINERY = ("/proc", "/sys", "/dev")
_HUB = re.compile(
    r"^(?P<id>[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?)(?::(?P<config>[\w.-]+))?(?:@(?P<split>[\w.\-\[\]:%+]+))?$"
)
_SPLIT_NAMES = {"train", "training", "test", "testing", "validation", "valid", "val", "dev", "eval"}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to read. ``label``: its class, where a folder holds one sub-folder a class."""

    path: Path
    label: str | None = None

    @property
    def suffix(self) -> str:
        """The kind, without ``.gz``."""
        return kind_of(self.path)


@dataclass(frozen=True, slots=True)
class HubSource:
    """A Hugging Face data set: ``id``, ``id:config``, ``id@split`` or ``id:config@split``."""

    id: str
    config: str | None
    split: str


def kind_of(path: Path) -> str:
    """The suffix that says how a file is read; ``rows.csv.gz`` is ``.csv``."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def find(source: str | Sequence[str]) -> list[SourceFile] | HubSource:
    """The files behind a source, in a fixed order. Raises DataError if there are none."""
    if not isinstance(source, str):
        files: list[SourceFile] = []
        for one in source:
            found = find(one)
            if isinstance(found, HubSource):
                raise DataError(
                    "a hub data set cannot be mixed with files",
                    where=one,
                    do="name one hub data set, or only files",
                )
            files += found
        if not files:
            raise DataError("no file is named", where="data.train", do="name at least one file")
        return _each_once(files)
    if not source.strip() or "\0" in source:
        raise DataError("no file is named", where=repr(source), do="name a file of examples")
    path = Path(source).expanduser()
    if _exists(path):
        return _folder(path) if path.is_dir() else [SourceFile(_regular(path))]
    if glob.has_magic(source) and not source.partition("@")[2]:
        return _glob(source)
    return _hub(source) or _missing(source)


def _exists(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", where=str(path), do="check name and permissions"
        ) from None
    return True


def _each_once(files: list[SourceFile]) -> list[SourceFile]:
    seen: dict[Path, SourceFile] = {}
    for file in files:
        if file.path.resolve() in seen:
            raise DataError(
                "the same file is named twice", where=str(file.path), do="name each file once"
            )
        seen[file.path.resolve()] = file
    return files


def _glob(pattern: str) -> list[SourceFile]:
    paths = [Path(p) for p in sorted(glob.glob(os.path.expanduser(pattern), recursive=True))]
    files = [SourceFile(_regular(p)) for p in paths if not p.is_dir()]
    if not files:
        raise DataError("no file matches", where=pattern, do="check the pattern and the folder")
    return files


def _hub(source: str) -> HubSource | None:
    if source.endswith(".py") or ".py@" in source:
        raise DataError(
            "a data set script would run code from elsewhere; Afina runs none",
            where=source,
            do="convert the data set to Parquet or JSONL and name that file",
        )
    match = _HUB.match(source)
    if match is None or kind_of(Path(match["id"])) in SUFFIXES or source.startswith("."):
        return None
    plain = match["config"] is None and match["split"] is None
    if plain and "/" not in source and "." in source:
        return None
    return HubSource(match["id"], match["config"], match["split"] or "train")


def _missing(source: str) -> list[SourceFile]:
    path = Path(source)
    folder = path.parent
    here = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    do = nearest(path.name, here) if here else f"the folder {folder} does not exist"
    raise DataError(f"no such file (looked from {Path.cwd()})", where=source, do=do)


# ---------------------------------------------------------------------------- folders


def _folder(folder: Path) -> list[SourceFile]:
    try:
        entries = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", where=str(folder), do="check the permissions"
        ) from None
    known = [p for p in entries if not p.is_dir() and kind_of(p) in SUFFIXES]
    if known:
        _one_kind(folder, known)
        return [SourceFile(_regular(p)) for p in known]
    classes = [
        SourceFile(_regular(p), label=sub.name)
        for sub in entries
        if sub.is_dir()
        for p in sorted(sub.iterdir())
        if kind_of(p) in (".txt", ".text", ".md") and not p.name.startswith(".")
    ]
    if not classes:
        raise DataError(
            "the folder holds no file of a known kind",
            where=str(folder),
            do=f"{_KNOWN}; or one sub-folder of .txt files a class",
        )
    return classes


def _one_kind(folder: Path, files: list[Path]) -> None:
    texts = [p.name for p in files if kind_of(p) not in TABLES]
    if texts and len(texts) < len(files):
        raise DataError(
            f"the folder holds both tables and texts ({', '.join(texts[:3])})",
            where=str(folder),
            do="name what is meant by a pattern, for example " + str(folder / "*.csv"),
        )
    parts = [p.name for p in files if p.name.split(".")[0].lower() in _SPLIT_NAMES]
    if len(parts) > 1:
        raise DataError(
            f"the folder holds files of different splits ({', '.join(parts)})",
            where=str(folder),
            do="name each: data.train, data.validation, data.test",
        )


def _regular(path: Path) -> Path:
    """The path, if it leads to a regular file that may be read."""
    try:
        mode = path.stat().st_mode
        real = os.path.realpath(path)
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror}", where=str(path), do="check name and permissions"
        ) from None
    if not stat.S_ISREG(mode) or real.startswith(tuple(f"{m}/" for m in _MACHINERY)):
        raise DataError(
            "not a regular file",
            where=str(path),
            do="name a file on disk, not a pipe, a device or a part of the system",
        )
    if not os.access(path, os.R_OK):
        raise DataError(
            "cannot be read: permission denied", where=str(path), do=f"chmod u+r {path}"
        )
    if kind_of(path) not in SUFFIXES:
        raise DataError(
            f"the kind of file {path.suffix or 'without a suffix'} is not known",
            where=str(path),
            do=_KNOWN,
        )
    return path


# ---------------------------------------------------------------------------- names and bytes


def display_names(files: Sequence[Path]) -> dict[Path, str]:
    """The shortest tail of each path that tells it from the others; for messages and lists."""
    distinct = list(dict.fromkeys(p.absolute() for p in files))
    names: dict[Path, str] = {}
    for path in distinct:
        for length in range(1, len(path.parts) + 1):
            tail = path.parts[-length:]
            if all(other == path or other.parts[-length:] != tail for other in distinct):
                break
        names[path] = str(Path(*tail))
    return {p: names[p.absolute()] for p in files}


@contextmanager
def opened(path: Path, name: str) -> Iterator[IO[bytes]]:
    """The bytes of a file, unpacked. Raises DataError if it changes while it is read."""
    try:
        before = path.stat()
        with path.open("rb") as raw:
            if path.suffix.lower() == ".gz":
                packed = _Unpacked(raw, before.st_size, name)
                with io.BufferedReader(packed, 2**20) as stream:
                    yield stream
            else:
                yield raw
        after = path.stat()
    except OSError as error:
        raise DataError(
            f"cannot be read: {error.strerror or error}",
            where=name,
            do="check name and permissions",
        ) from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise DataError(
            "the file changed while it was read",
            where=name,
            do="wait until it is whole, then again",
        )


def whole(stream: IO[bytes], name: str) -> bytes:
    """All bytes of a file that cannot be read in pieces."""
    data = stream.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise DataError(
            f"more than {MAX_FILE_BYTES:,} bytes cannot be read whole",
            where=name,
            do="write it as JSONL, which is read line by line",
        )
    return data


class _Unpacked(io.RawIOBase):
    """Bytes of a gzip file; ends in an error where it grows out of all proportion."""

    def __init__(self, raw: IO[bytes], packed_bytes: int, name: str) -> None:
        self._stream = GzipFile(fileobj=raw, mode="rb")
        self._left = max(FREE_GZIP_BYTES, packed_bytes * MAX_GZIP_RATIO)
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except (BadGzipFile, EOFError, zlib.error) as error:
            raise DataError(
                f"the packed file is damaged or not whole: {error}",
                where=self._name,
                do="copy or download it again",
            ) from None
        self._left -= len(data)
        if self._left < 0:
            raise DataError(
                f"the packed file grows more than {MAX_GZIP_RATIO} times when unpacked",
                where=self._name,
                do="unpack it yourself if you trust it, and name the result",
            )
        buffer[: len(data)] = data
        return len(data)


def refuse_shared(files: Mapping[str, set[Path]]) -> None:
    """Raises DataError if one file is that of two parts."""
    for part, paths in files.items():
        for other, others in files.items():
            both = sorted(paths & others)
            if other != part and both:
                raise DataError(
                    f"the same file is data.{part} and data.{other}",
                    where=str(both[0]),
                    do=f"name other rows, or leave data.{other} out: the split makes one",
                )
