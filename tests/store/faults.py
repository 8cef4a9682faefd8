"""A disk that fails at a chosen call, and one that loses power at a chosen call."""

from __future__ import annotations

import functools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from afina.store import Checkpoint

CALLS = ("open", "write", "fsync", "close", "rename", "replace", "mkdir", "ftruncate", "fchmod")
"""Everything in ``os`` through which the store changes a disk."""


def content(step: int, version: int = 0) -> bytes:
    return random.Random(step * 1000 + version).randbytes(700)


def filler(step: int, version: int = 0) -> Callable[[Path], None]:
    """Fills a checkpoint through ``os``, where faults can be put."""

    def write(folder: Path) -> None:
        os.mkdir(folder / "inner")
        for name in ("weights", "inner/optimizer"):
            number = os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(number, content(step, version))
            finally:
                os.close(number)

    return write


def holds(checkpoint: Checkpoint | None, step: int, *versions: int) -> bool:
    """Whether it is the checkpoint of a step with the content of one of the versions."""
    if checkpoint is None or checkpoint.step != step:
        return False
    found = [(checkpoint.folder / n).read_bytes() for n in ("weights", "inner/optimizer")]
    return any(found == [content(step, v)] * 2 for v in versions or (0,))


def names(folder: Path) -> set[str]:
    return set(os.listdir(folder))


@dataclass
class Fault:
    """How many calls there were, and whether the one that should fail was among them."""

    calls: int = 0
    happened: bool = False
    name: str = ""


@contextmanager
def failing_at(
    call: int, number: int, *, lasting: bool = False, names: tuple[str, ...] = CALLS
) -> Iterator[Fault]:
    """Make the ``call``-th of the store's calls to the disk fail (``lasting``: all later ones)."""
    fault = Fault()

    def wrap(name: str) -> Any:
        real = getattr(os, name)

        def called(*args: Any, **kwargs: Any) -> Any:
            fault.calls += 1
            if fault.calls == call or (lasting and fault.calls > call):
                fault.happened, fault.name = True, fault.name or name
                if name == "close":  # the descriptor is gone even when close reports a fault
                    real(*args, **kwargs)
                raise OSError(number, os.strerror(number))
            return real(*args, **kwargs)

        return called

    with mock.patch.multiple(os, **{name: wrap(name) for name in names}):
        yield fault


class PowerCuts:
    """Remembers what a disk is sure to hold, and draws what it may hold after a power cut.

    Sure is the content of a file at its last fsync and the names in a folder at its last fsync.
    Everything later may be there or not: ``draw`` decides by a seeded generator, folder by folder
    and file by file, and a file never fsynced may be empty, cut or garbage.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls = 0
        self._serial = 0
        self._identity: dict[int, int] = {}
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, tuple[int, bool]]] = {}
        self._fsync_everything()

    @contextmanager
    def watching(self, at_each_call: Callable[[], None]) -> Iterator[None]:
        """Follow the store's calls; ``at_each_call`` is where the power may go."""
        real = {name: getattr(os, name) for name in ("open", "mkdir", "fsync", "rename", "replace")}
        inside = False

        def step(name: str, *args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return real[name](*args, **kwargs)
            new = name in ("open", "mkdir") and not os.path.lexists(args[0])
            result = real[name](*args, **kwargs)
            if new and os.path.lexists(args[0]):
                self._born(os.lstat(args[0]).st_ino)
            if name == "fsync":
                self._fsynced(Path(os.readlink(f"/proc/self/fd/{args[0]}")))
            self.calls += 1
            inside = True
            try:
                at_each_call()
            finally:
                inside = False
            return result

        with mock.patch.multiple(os, **{n: functools.partial(step, n) for n in real}):
            yield

    def draw(self, target: Path, seed: int) -> None:
        """Make ``target`` what the disk may hold after a power cut now."""
        target.mkdir()
        self._draw_folder(self.root, self._of(self.root), target, random.Random(seed))

    def _draw_folder(
        self, here: Path | None, identity: int, target: Path, chance: random.Random
    ) -> None:
        names = dict(self._folders.get(identity, {}))
        if here is not None and chance.random() < 0.5:
            names = self._names(here)
        for name, (inner, is_folder) in names.items():
            now = here / name if here is not None else None
            if now is None or not now.exists() or self._of(now) != inner:
                now = self._find(inner)
            if is_folder:
                (target / name).mkdir()
                self._draw_folder(now, inner, target / name, chance)
            else:
                (target / name).write_bytes(self._draw_file(now, inner, chance))

    def _draw_file(self, here: Path | None, identity: int, chance: random.Random) -> bytes:
        current = here.read_bytes() if here is not None else b""
        if identity in self._files:
            return chance.choice([self._files[identity], current or self._files[identity]])
        return chance.choice([b"", current[: len(current) // 2], chance.randbytes(len(current))])

    def _find(self, identity: int) -> Path | None:
        for path in self.root.rglob("*"):
            if self._of(path) == identity:
                return path
        return None

    def _born(self, inode: int) -> None:
        self._serial += 1
        self._identity[inode] = self._serial

    def _of(self, path: Path) -> int:
        inode = os.lstat(path).st_ino
        if inode not in self._identity:
            self._born(inode)
        return self._identity[inode]

    def _names(self, folder: Path) -> dict[str, tuple[int, bool]]:
        return {p.name: (self._of(p), p.is_dir()) for p in sorted(folder.iterdir())}

    def _fsynced(self, path: Path) -> None:
        if path.is_dir():
            self._folders[self._of(path)] = self._names(path)
        else:
            self._files[self._of(path)] = path.read_bytes()

    def _fsync_everything(self) -> None:
        for path in [self.root, *self.root.rglob("*")]:
            self._fsynced(path)
