"""One process at a time in a run: a lock that dies with its holder, whatever kills it.

The kernel holds the lock (``flock`` on an open file); the file's text says who has it, for the
error that the second one gets. A stale text without the kernel's lock means nothing.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from afina.errors import RunError
from afina.store import strict_json
from afina.store.disk import storing
from afina.store.durable import line_value

NAME = ".lock"
PATIENCE_SECONDS = 0.5
"""How long a start waits: someone who only asks whether the run is alive holds it for a moment."""


@contextmanager
def held(path: Path, now: str) -> Iterator[None]:
    """Hold the lock. Raises RunError naming process, machine and time if another has it."""
    with storing(path, "lock"):
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _take(number, path)
        holder = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
        text = strict_json.dumps(holder, str(path)).encode("utf-8")
        with storing(path, "lock"):
            os.ftruncate(number, 0)
            os.pwrite(number, text, 0)
        try:
            yield
        finally:
            with storing(path, "unlock"):
                os.ftruncate(number, 0)
    finally:
        os.close(number)  # and with it the kernel's lock


def is_held(path: Path) -> bool:
    """Whether a living process has the lock now."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # Shared: several who ask do not disturb each other.
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(number)
    return False


def _take(number: int, path: Path) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    with storing(path, "lock"):
        while True:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > until:
                    raise _refusal(number, path) from None
            time.sleep(0.02)


def _refusal(number: int, path: Path) -> RunError:
    holder: dict[str, Any] = line_value(os.pread(number, 4096, 0)) or {}
    pid, host = holder.get("pid", "unknown"), holder.get("host", "unknown")
    since = holder.get("since", "unknown")
    return RunError(
        f"another process works on this run: process {pid} on {host}, since {since}",
        where=path.parent.name,
        do="wait until it ends, or end that process and try again",
    )
