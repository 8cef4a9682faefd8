"""Folders that appear whole or not at all: filled beside their place, then renamed into it.

The names in between begin with a dot. A process that is killed leaves some behind; ``recover``
clears them, and puts an old folder back whose successor never arrived. Both must be called by the
one process that may write there: the lock is the caller's.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from afina.errors import MachineError
from afina.store.disk import storing
from afina.store.durable import TEMPORARY_PREFIX, TEMPORARY_SUFFIX, fsync_folder, fsync_tree

STAGE, OLD, DROPPED = ".stage-", ".old-", ".drop-"


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A new empty folder beside ``target`` to fill and then to ``place``; removed if it was not."""
    stage = target.parent / f"{STAGE}{target.name}-{secrets.token_hex(4)}"
    with storing(target, "write"):
        os.mkdir(stage, 0o700)
        try:
            yield stage
        finally:
            if stage.exists():
                shutil.rmtree(stage, ignore_errors=True)  # what stays is cleared by ``recover``


def place(stage: Path, target: Path) -> None:
    """fsync a filled folder and put it in the place of ``target``, durably.

    A killed call leaves the old folder or the new one (after ``recover``); a failed one the old.
    """
    old = target.parent / f"{OLD}{target.name}"
    with storing(target, "write"):
        fsync_tree(stage)
        replaced = os.path.lexists(target)
        if replaced:
            if os.path.lexists(old):
                drop(old)
            os.rename(target, old)
        try:
            os.rename(stage, target)
            fsync_folder(target.parent)
        except (OSError, MachineError):
            _undo(stage, target, old if replaced else None)
            raise
        if replaced:
            with suppress(MachineError):  # the new one stands; ``recover`` clears what stays
                drop(old)


def drop(folder: Path) -> None:
    """Remove a folder: its name goes at once, so that a killed call never leaves half of it."""
    with storing(folder, "remove"):
        gone = folder.parent / f"{DROPPED}{folder.name}-{secrets.token_hex(4)}"
        os.rename(folder, gone)
        shutil.rmtree(gone)


def recover(parent: Path) -> list[str]:
    """Clear what killed writers left in a folder. Returns a sentence for each thing done."""
    told: list[str] = []
    with storing(parent, "clear up"):
        names = sorted(os.listdir(parent))
        for name in (n for n in names if n.startswith(OLD)):
            target = parent / name.removeprefix(OLD)
            if os.path.lexists(target):
                fsync_folder(parent)  # the successor's name must be on the disk first
                shutil.rmtree(parent / name)
            else:
                os.rename(parent / name, target)
                fsync_folder(parent)
                told.append(f"put {target.name} back, whose successor was never finished")
        for name in names:
            if name.startswith((STAGE, DROPPED)):
                shutil.rmtree(parent / name)
                if name.startswith(STAGE):
                    told.append(f"removed the unfinished {name}")
            elif name.startswith(TEMPORARY_PREFIX) and name.endswith(TEMPORARY_SUFFIX):
                os.unlink(parent / name)
                told.append(f"removed the unfinished {name}")
    return told


def _undo(stage: Path, target: Path, old: Path | None) -> None:
    """Best effort; whatever it cannot do, ``recover`` does later."""
    with suppress(OSError):
        if os.path.lexists(target) and not stage.exists():
            os.rename(target, stage)
        if old is not None and not os.path.lexists(target):
            os.rename(old, target)
