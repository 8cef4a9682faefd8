"""Checkpoints of a run: each one whole or absent, the newest valid one always there.

Protocol: fill a folder beside its place, fsync every file, write the manifest with every hash,
fsync, rename to ``step-<n>``, fsync the parent, and only then remove older ones. Does not know
what is in a checkpoint: the caller's function fills it.

All calls that change the folder hold a lock on it, so a reader in another process may look for
the newest one while a run goes on.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afina.errors import CorruptError, MachineError
from afina.store import folders, manifest
from afina.store.disk import fault, require_free, storing
from afina.store.durable import fsync_folder, make_folder

QUARANTINE = "quarantine"
_NAME = re.compile(r"step-(0|[1-9][0-9]*)")

Told = Callable[[str], None]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint whose every file was just found to be as it was written."""

    step: int
    folder: Path
    facts: Mapping[str, Any]
    pinned: bool
    size_bytes: int


class Checkpoints:
    """The checkpoints in one folder: the newest ``keep``, and the newest pinned one (the best)."""

    def __init__(
        self,
        folder: str | Path,
        keep: int = 2,
        *,
        told: Told | None = None,
        before_commit: Callable[[], None] | None = None,
    ) -> None:
        """``told`` hears a sentence for everything set aside, cleared or left lying.

        ``before_commit`` is called before a checkpoint takes its place: what must be on the disk
        no later than the checkpoint.
        """
        if keep < 1:
            raise fault(f"at least one checkpoint must be kept, not {keep}", folder)
        self.folder = Path(folder)
        self.keep = keep
        self._told = told or (lambda _: None)
        self._before_commit = before_commit or (lambda: None)

    # ------------------------------------------------------------------ writing

    def commit(
        self,
        step: int,
        write: Callable[[Path], None],
        facts: Mapping[str, Any],
        pinned: bool = False,
    ) -> Checkpoint:
        """Store a checkpoint of ``step``, filled by ``write``; return it once it is on the disk.

        A step that is there already (a resumed run comes past it again) is replaced in the same
        way. Raises MachineError if it cannot be stored, and then all the older ones are still
        there: the next call begins from nothing.
        """
        if isinstance(step, bool) or not isinstance(step, int) or step < 0:
            raise fault(f"a step is a number from 0, not {step!r}", self.folder)
        make_folder(self.folder)
        with self._locked():
            self._recover()
            self._require_space()
            target = self.folder / f"step-{step}"
            with folders.staged(target) as stage:
                write(stage)
                stored = self._record(stage, step, facts, pinned)
                self._before_commit()
                folders.place(stage, target)
            self._prune(step)
        size = sum(f.size_bytes for f in stored)
        return Checkpoint(step, target, dict(facts), pinned, size)

    def _record(
        self, stage: Path, step: int, facts: Mapping[str, Any], pinned: bool
    ) -> tuple[manifest.FileRecord, ...]:
        if (stage / manifest.NAME).exists():
            raise fault(f"{manifest.NAME} is the store's own file", stage)
        files = manifest.inventory(stage, lambda _: False)
        if not files:
            raise fault(f"nothing was written into the checkpoint of step {step}", stage)
        manifest.write(stage, {"step": step, "pinned": pinned, "facts": facts}, files)
        return files

    def _require_space(self) -> None:
        """The next checkpoint will be about as large as the last: say so before, not half-way."""
        for step in self.steps():
            found = self._look(step, content=False)
            if isinstance(found, Checkpoint):
                require_free(self.folder, found.size_bytes, "the next checkpoint")
                return

    def _prune(self, newest: int) -> None:
        """Remove what is neither new nor pinned. ``newest`` is whole on the disk by now.

        Only sizes are looked at here: reading everything again at each commit would cost more than
        it finds, and ``newest`` reads it all before it is used.
        """
        whole = [
            c for s in self.steps() if isinstance(c := self._look(s, content=False), Checkpoint)
        ]
        kept = {newest} | {c.step for c in whole[: self.keep]}
        kept |= {c.step for c in [c for c in whole if c.pinned][:1]}
        for checkpoint in whole:
            if checkpoint.step not in kept:
                try:
                    folders.drop(checkpoint.folder)
                except MachineError as error:  # the commit stands; the next one tries again
                    self._told(f"an old checkpoint could not be removed: {error}")

    # ------------------------------------------------------------------ reading

    def newest(self) -> Checkpoint | None:
        """The newest checkpoint that is whole; broken newer ones are moved to ``quarantine/``.

        Every file is read and compared with its hash. Clears what killed writers left.
        """
        if not self.folder.exists():
            return None
        with self._locked():
            try:
                self._recover()
            except MachineError as error:  # a disk that can only be read can still be read
                self._told(f"checkpoints could not be cleared up: {error}")
            for step in self.steps():
                found = self._look(step)
                if isinstance(found, Checkpoint):
                    return found
                self._set_aside(step, found)
        return None

    def at(self, step: int) -> Checkpoint | None:
        """The checkpoint of a step, if it is there and whole. Changes nothing."""
        found = self._look(step)
        return found if isinstance(found, Checkpoint) else None

    def pinned(self) -> Checkpoint | None:
        """The newest whole checkpoint that was committed as pinned. Changes nothing."""
        for step in self.steps():
            quick = self._look(step, content=False)
            if isinstance(quick, Checkpoint) and quick.pinned:
                found = self._look(step)
                if isinstance(found, Checkpoint):
                    return found
        return None

    def steps(self) -> list[int]:
        """The steps that have a folder, newest first, whole or not."""
        if not self.folder.exists():
            return []
        with storing(self.folder, "read"):
            found = [_NAME.fullmatch(name) for name in os.listdir(self.folder)]
        return sorted((int(match[1]) for match in found if match), reverse=True)

    def _look(self, step: int, *, content: bool = True) -> Checkpoint | str:
        """The checkpoint, or what is wrong with it."""
        folder = self.folder / f"step-{step}"
        try:
            written, files = manifest.read(folder)
            if written.get("step") != step:
                return f"its manifest is of step {written.get('step')}"
            for record in files:
                if wrong := manifest.difference(folder, record, content=content):
                    return wrong
        except CorruptError as error:
            return error.what
        except MachineError as error:
            # A sector that cannot be read is a broken checkpoint; no permission is not.
            cause = error.__cause__
            if isinstance(cause, OSError) and cause.errno == errno.EIO:
                return error.what
            raise
        size = sum(record.size_bytes for record in files)
        return Checkpoint(step, folder, written["facts"], written["pinned"] is True, size)

    # ------------------------------------------------------------------ setting right

    def _set_aside(self, step: int, reason: str) -> None:
        name = f"step-{step}"
        target = self.folder / QUARANTINE / f"{name}-{secrets.token_hex(2)}"
        try:
            make_folder(target.parent)
            with storing(target, "move"):
                os.rename(self.folder / name, target)
            fsync_folder(target.parent)
            fsync_folder(self.folder)
        except MachineError as error:  # a disk that can only be read still has older ones
            self._told(f"checkpoint {name} is broken ({reason}) and could not be moved: {error}")
            return
        self._told(f"checkpoint {name} is broken ({reason}): moved to {QUARANTINE}/{target.name}")

    def _recover(self) -> None:
        for sentence in folders.recover(self.folder):
            self._told(f"checkpoints: {sentence}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with storing(self.folder, "lock"):
            number = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with storing(self.folder, "lock"):
                fcntl.flock(number, fcntl.LOCK_EX)
            yield
        finally:
            with storing(self.folder, "unlock"):
                os.close(number)
